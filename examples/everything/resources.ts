/** The resources of the conformance suite. */
import type { Server } from 'bough'
import { redPixelPng } from './media.ts'

export function addResources(server: Server): void {
  server.resource('test://static-text', {
    name: 'Static text',
    description: 'A text that never changes',
    mimeType: 'text/plain',
    read: () => 'This is the content of the static text resource.',
  })
  server.resource('test://static-binary', {
    name: 'Static binary',
    description: 'A red pixel as PNG',
    mimeType: 'image/png',
    read: () => ({ blob: redPixelPng }),
  })
  server.resource('test://watched-resource', {
    name: 'Watched resource',
    description: 'A resource to subscribe to; the tool "touch" announces an update of it',
    mimeType: 'text/plain',
    read: () => 'This resource can be subscribed to.',
  })
  server.resourceTemplate('test://template/{id}/data', {
    name: 'Template',
    description: 'Data for any id',
    mimeType: 'application/json',
    read: ({ id }) => JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
    complete: { id: ['1', '12', '123'] },
  })
}
