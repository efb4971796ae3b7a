import { defineConfig } from 'vitest/config'

// Without 'module': what packages offer under it is for bundlers, and Node cannot always load it.
const conditions = ['bough-source', 'node', 'import', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/**/*.test.ts', 'property/**/*.test.ts'],
    globalSetup: ['./vitest.setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    maxWorkers: 2,
  },
})
