/** The prompts of the conformance suite, and one with more completions than an answer may hold. */
import { embeddedResource, image, type Server, text } from 'bough'
import { redPixelPng } from './media.ts'

const CANDIDATES = 150

export function addPrompts(server: Server): void {
  server.prompt('test_simple_prompt', {
    description: 'One message, no arguments',
    get: () => 'This is a simple prompt for testing.',
  })
  server.prompt('test_prompt_with_arguments', {
    description: 'One message that holds both arguments',
    arguments: [
      { name: 'arg1', description: 'First test argument', required: true, complete: ['testValue1', 'paris', 'park'] },
      { name: 'arg2', description: 'Second test argument', required: true, complete: ['testValue2'] },
    ],
    get: ({ arg1, arg2 }) => `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`,
  })
  server.prompt('test_prompt_with_embedded_resource', {
    description: 'A message that embeds a resource',
    arguments: [{ name: 'resourceUri', description: 'URI of the resource to embed', required: true }],
    get: ({ resourceUri }) => [
      {
        role: 'user',
        content: embeddedResource({
          uri: resourceUri,
          mimeType: 'text/plain',
          text: 'Embedded resource content for testing.',
        }),
      },
      { role: 'user', content: text('Please process the embedded resource above.') },
    ],
  })
  server.prompt('test_prompt_with_image', {
    description: 'A message that holds an image',
    get: () => [
      { role: 'user', content: image(redPixelPng, 'image/png') },
      { role: 'user', content: text('Please analyze the image above.') },
    ],
  })
  const words = Array.from({ length: CANDIDATES }, (_, index) => `word-${String(index).padStart(3, '0')}`)
  server.prompt('many_completions', {
    description: `An argument with ${CANDIDATES} candidates, completed by prefix`,
    arguments: [{ name: 'word', description: 'word-000 to word-149', required: true, complete: words }],
    get: ({ word }) => `The word is ${word}.`,
  })
}
