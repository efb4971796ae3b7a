/** Tools that return each kind of content, log, report progress and fail: the fixtures of the conformance suite. */
import { setTimeout as sleep } from 'node:timers/promises'
import { audio, embeddedResource, image, type Server, text } from 'bough'
import { redPixelPng, silentWav } from './media.ts'

const STEP_MS = 50

/** How long a client waits before it comes back for the rest of `test_reconnection`. */
const RETRY_MS = 500

export function addContentTools(server: Server): void {
  server.tool('test_simple_text', {
    description: 'Returns one text block',
    run: () => 'This is a simple text response for testing.',
  })
  server.tool('test_image_content', {
    description: 'Returns a red pixel as PNG',
    run: () => [image(redPixelPng, 'image/png')],
  })
  server.tool('test_audio_content', {
    description: 'Returns a tenth of a second of silence as WAV',
    run: () => [audio(silentWav(), 'audio/wav')],
  })
  server.tool('test_embedded_resource', {
    description: 'Returns an embedded text resource',
    run: () => [
      embeddedResource({
        uri: 'test://embedded-resource',
        mimeType: 'text/plain',
        text: 'This is an embedded resource content.',
      }),
    ],
  })
  server.tool('test_multiple_content_types', {
    description: 'Returns text, an image and an embedded resource in one result',
    run: () => [
      text('Multiple content types test:'),
      image(redPixelPng, 'image/png'),
      embeddedResource({
        uri: 'test://mixed-content-resource',
        mimeType: 'application/json',
        text: JSON.stringify({ test: 'data', value: 123 }),
      }),
    ],
  })
  server.tool('test_tool_with_logging', {
    description: 'Sends three log messages at level info, with pauses between them',
    run: async (_args, ctx) => {
      ctx.log('info', 'Tool execution started')
      await sleep(STEP_MS, undefined, { signal: ctx.signal })
      ctx.log('info', 'Tool processing data')
      await sleep(STEP_MS, undefined, { signal: ctx.signal })
      ctx.log('info', 'Tool execution completed')
      return 'Tool with logging executed successfully'
    },
  })
  server.tool('test_tool_with_progress', {
    description: 'Reports progress 0, 50 and 100 of 100, with pauses between them',
    run: async (_args, ctx) => {
      ctx.progress(0, 100)
      await sleep(STEP_MS, undefined, { signal: ctx.signal })
      ctx.progress(50, 100)
      await sleep(STEP_MS, undefined, { signal: ctx.signal })
      ctx.progress(100, 100)
      return 'Tool with progress executed successfully'
    },
  })
  server.tool('test_error_handling', {
    description: 'Always throws',
    run: () => {
      throw new Error('This tool intentionally returns an error for testing')
    },
  })
  server.tool('test_reconnection', {
    description: 'Closes the SSE stream of its answer before it answers, so that the client must come back for it',
    run: async (_args, ctx) => {
      ctx.closeStream(RETRY_MS)
      await sleep(2 * STEP_MS, undefined, { signal: ctx.signal })
      return 'Reconnection test completed successfully'
    },
  })
}
