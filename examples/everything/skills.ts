/** A skill with files beside it and a directory of more, for the skills extension. */
import type { Server } from 'bough'

export function addSkills(server: Server): void {
  server.skill('writing/release-notes', {
    description: 'Write release notes from a list of changes. Use when a version is about to be published.',
    frontmatter: { license: 'MIT', metadata: { author: 'bough' } },
    body: '# Release notes\n\nGroup the changes by what a user notices. See references/STYLE.md for the tone.\n',
    files: {
      'references/STYLE.md': '# Style\n\nOne sentence for each change, in the present tense.\n',
      'references/EXAMPLES.md': '# Examples\n\n- The server answers in half the time.\n',
      'templates/notes.md': '## {version}\n\n{changes}\n',
    },
  })
  server.skill('greeting', {
    description: 'Greet a person in their language. Use when a conversation begins.',
    body: '# Greeting\n\nSay hello, then wait.\n',
  })
}
