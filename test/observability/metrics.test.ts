/** Metrics as they are scraped: every row of the table, in the strict form of the format, with values that are true. */
import { readFileSync } from 'node:fs'
import { type App, createServer, type ServeOptions, type Server, serve } from 'bough'
import { connect } from 'bough/client'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientMetricTable } from '#observability/client-metric-table'
import { type MetricRow, metricTable } from '#observability/metric-table'
import { Metrics } from '#observability/metrics'
import { prometheusText } from '#observability/prometheus'
import { Telemetry, TOOLS_MAX } from '#observability/telemetry'
import { Counters, LABELS_MAX } from '#structures/counters'
import { type Family, parsePrometheus } from './prometheus-parser.ts'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)

async function start(server: Server, options: Partial<ServeOptions> = {}): Promise<App> {
  const app = await serve(server, { http: { port: 0 }, logger: false, signals: false, guard: false, ...options })
  onTestFinished(() => app.stop())
  return app
}

function toolServer(): Server {
  const server = createServer({ name: 'metrics', version: '1' })
  server.tool('add', { run: () => 'sum' })
  server.tool('fails', {
    run: () => {
      throw new Error('a bug')
    },
  })
  return server
}

const client = (app: App, era: 'legacy' | 'modern') => connect(app.url, { name: 'c', version: '1', era })

function valueIn(families: Map<string, Family>, name: string, labels: Readonly<Record<string, string>> = {}) {
  const base = name.replace(/_(bucket|sum|count)$/, '')
  const samples = families.get(name)?.samples ?? families.get(base)?.samples ?? []
  return samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value
}

describe('the table of metrics', () => {
  it('has at least fifty names, each once, with a unit and a description', () => {
    expect(metricTable.length).toBeGreaterThanOrEqual(50)
    const rows = [...metricTable, ...clientMetricTable]
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
    for (const { name, kind, unit, description } of rows) {
      expect(name).toMatch(/^bough_[a-z0-9_]+$/)
      expect(name.endsWith('_total'), name).toBe(kind === 'counter')
      expect(unit, name).toMatch(/^(s|By|1|\{[a-z]+\})$/)
      if (unit === 's') expect(name).toContain('_seconds')
      if (unit === 'By') expect(name).toContain('_bytes')
      expect(description, name).toMatch(/^[A-Z0-9].*\.$/)
    }
  })

  it('is what /metrics prints and what docs/metrics.md lists', async () => {
    const app = await start(toolServer())
    const printed = parsePrometheus(app.metricsText())
    expect([...printed.keys()]).toEqual(metricTable.map(({ name }) => name))
    for (const { name, kind, description } of metricTable)
      expect(printed.get(name)).toMatchObject({ type: kind, help: description })
    const listed = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `bough_'))
    const cells = ({ name, kind, unit, labels, from, description }: MetricRow): string =>
      `| \`${name}\` | ${kind} | ${unit} | ${labels.join(', ')} | \`${from}\` | ${description} |`
    expect(listed).toEqual([...metricTable, ...clientMetricTable].map(cells))
  })
})

describe('the text', () => {
  const row: MetricRow = { ...metricTable[0]!, labels: ['method'] }

  it('can be read back, whatever labels hold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.nat()), { maxLength: 20 }), (values) => {
        const counters = new Counters()
        // A carriage return is no line end of the format, and travels as it is.
        const known = values.map(([label, value]) => [label.replaceAll('\r', ' '), value] as const)
        for (const [label, value] of known) counters.add('requests', value, label)
        const families = parsePrometheus(prometheusText(new Metrics(counters).collect([row])))
        for (const { labels, value } of families.get(row.name)?.samples ?? [])
          expect(value).toBe(counters.get('requests', labels['method']))
      }),
      { seed },
    )
  })

  it('tells a histogram with its sum and its count, in seconds', () => {
    const metrics = new Metrics(new Counters())
    metrics.histogram('request_duration', 'ping').record(250)
    metrics.histogram('request_duration', 'ping').record(100_000)
    const families = parsePrometheus(prometheusText(metrics.collect()))
    const name = 'bough_request_duration_seconds'
    expect(valueIn(families, `${name}_bucket`, { le: '0.1' })).toBe(0)
    expect(valueIn(families, `${name}_bucket`, { le: '0.25' })).toBe(1)
    expect(valueIn(families, `${name}_bucket`, { le: '+Inf' })).toBe(2)
    expect(valueIn(families, `${name}_sum`, { method: 'ping' })).toBe(100.25)
    expect(valueIn(families, `${name}_count`, { method: 'ping' })).toBe(2)
  })
})

describe('labels', () => {
  it('are names of tools that there are; all others are one', () => {
    const telemetry = new Telemetry()
    telemetry.knowsTool = (name) => name === 'known'
    for (const name of ['known', 'made up', 'made up too', 'a|b'])
      telemetry.begin('tools/call', { name }, 'modern', 0).answered({}, 1)
    const { tool_runs: runs } = telemetry.metrics.counters.snapshot()
    expect(runs).toEqual({ 'ok|known': 1, 'ok|other': 3 })
  })

  it('stay few however many tools there are', () => {
    const telemetry = new Telemetry()
    telemetry.knowsTool = () => true
    for (let at = 0; at < TOOLS_MAX * 10; at++)
      telemetry.begin('tools/call', { name: `tool ${at}` }, 'modern', 0).answered({}, 1)
    const { samples } = parsePrometheus(telemetry.text()).get('bough_tool_runs_total')!
    expect(new Set(samples.map(({ labels }) => labels['tool'])).size).toBeLessThanOrEqual(TOOLS_MAX + 1)
    expect(samples.length).toBeLessThanOrEqual(LABELS_MAX + 1)
    expect(valueIn(parsePrometheus(telemetry.text()), 'bough_requests_total', { method: 'tools/call' })).toBe(
      TOOLS_MAX * 10,
    )
  })
})

describe('a request', () => {
  it.each(['legacy', 'modern'] as const)('of the %s era is counted and timed by how it ended', async (era) => {
    const app = await start(toolServer())
    const one = await client(app, era)
    await one.callTool('add')
    await one.callTool('add')
    await one.callTool('fails')
    await one.callTool('nobody').catch(() => undefined)
    await one.listTools()
    const families = parsePrometheus(app.metricsText())
    const outcomes = (outcome: string) =>
      valueIn(families, 'bough_request_outcomes_total', { method: 'tools/call', era, outcome })
    expect(['ok', 'tool_error', 'error', 'timeout', 'cancelled'].map(outcomes)).toEqual([2, 1, 1, 0, 0])
    expect(valueIn(families, 'bough_request_outcomes_total', { method: 'tools/list', era, outcome: 'ok' })).toBe(1)
    expect(valueIn(families, 'bough_tool_runs_total', { tool: 'add', outcome: 'ok' })).toBe(2)
    expect(valueIn(families, 'bough_tool_runs_total', { tool: 'fails', outcome: 'tool_error' })).toBe(1)
    expect(valueIn(families, 'bough_tool_runs_total', { tool: 'other', outcome: 'error' })).toBe(1)
    expect(valueIn(families, 'bough_tool_duration_seconds_count', { tool: 'add' })).toBe(2)
    expect(valueIn(families, 'bough_request_duration_seconds_count', { method: 'tools/call' })).toBe(4)
    expect(valueIn(families, 'bough_received_bytes_total', { transport: 'http' })).toBeGreaterThan(100)
    expect(valueIn(families, 'bough_sent_bytes_total', { transport: 'http' })).toBeGreaterThan(100)
    expect(valueIn(families, 'bough_sessions')).toBe(era === 'legacy' ? 1 : 0)
    const own = parsePrometheus(one.metricsText())
    expect([...own.keys()]).toEqual(clientMetricTable.map(({ name }) => name))
    expect(valueIn(own, 'bough_client_connected')).toBe(1)
    expect(valueIn(own, 'bough_client_requests_total', { method: 'tools/call', outcome: 'ok' })).toBe(2)
    expect(one.metrics()['client_requests']).toMatchObject({ 'tools/call|tool_error': 1, 'tools/call|error': 1 })
    await one.close()
    expect(valueIn(parsePrometheus(one.metricsText()), 'bough_client_connected')).toBe(0)
  })

  it('is told once how it ended', () => {
    const telemetry = new Telemetry()
    const watch = telemetry.begin('ping', {}, 'legacy', 5)
    watch.timedOut(10)
    watch.answered({}, 20)
    watch.cancelled(30)
    expect(telemetry.metrics.counters.snapshot()['request_outcomes']).toEqual({ 'ping|legacy|timeout': 1 })
    expect(telemetry.metrics.histogram('request_duration', 'ping').sum).toBe(5)
  })

  it('is not watched where nothing is to be observed, and counted all the same', async () => {
    const app = await start(toolServer(), { observe: false })
    const one = await client(app, 'modern')
    await one.callTool('add')
    await one.close()
    expect(app.metrics()['requests']).toMatchObject({ 'tools/call': 1 })
    expect(app.metrics()['request_outcomes']).toBeUndefined()
    expect((await fetch(app.url.replace('/mcp', '/healthz'))).status).toBe(404)
  })
})

describe('a question', () => {
  it.each(['legacy', 'modern'] as const)('to a client of the %s era is counted on both sides', async (era) => {
    const server = toolServer()
    server.tool('asks', {
      run: async (_args, ctx) => {
        const { action } = await ctx.elicit({ message: 'Sure?', requestedSchema: { type: 'object', properties: {} } })
        return action
      },
    })
    const app = await start(server)
    const one = await connect(app.url, {
      name: 'c',
      version: '1',
      era,
      handlers: { elicitation: () => ({ action: 'accept', content: {} }) },
    })
    expect(await one.callTool('asks')).toMatchObject({ content: [{ text: 'accept' }] })
    expect(app.metrics()['questions']).toMatchObject({ 'elicitation/create|answered': 1 })
    expect(one.metrics()['client_questions']).toEqual({ 'elicitation/create|answered': 1 })
    await one.close()
  })
})
