/**
 * Which model answers a request. A server cannot name a model, only prefer: hints first, in their order, then priorities. The
 * user's table says which models there are and what they are good at.
 *
 *     chooseModel([{ name: 'big-2', intelligence: 1 }, { name: 'small-2', cheapness: 1, speed: 0.9 }], { costPriority: 1 })
 *     // small-2
 *
 * Spec: MCP 2025-11-25, client/sampling, model preferences.
 */
import type { ModelPreferences } from '#protocol'
import { invalidOption } from './errors.ts'
import type { BodyPatch } from './provider.ts'

/** Models of a table, names of a model, and hints that are looked at. */
export const MODELS_MAX = 100
const ALIASES_MAX = 100
const HINTS_MAX = 100

/** A row of the user's table. The three qualities are 0 (worst) to 1 (best), default 0.5. */
export interface ModelChoice {
  /** What the provider calls it. */
  readonly name: string
  /** Other names that a hint may use: families, or other vendors' models that it stands in for. */
  readonly aliases?: readonly string[]
  readonly cheapness?: number
  readonly speed?: number
  readonly intelligence?: number
  /** Most tokens that it can give; a request for more is cut to this. */
  readonly maxTokens?: number
  /** Laid over the request's body for this model, after the provider's own `body`. */
  readonly body?: BodyPatch
}

/**
 * The model for these preferences. A hint fits when it is part of a model's name, or it and an alias are part of one another;
 * case does not matter. Among the models that the first fitting hint fits, or else among all, the one with the most of what has
 * priority; among equals the first. `models` has at least one.
 */
export function chooseModel(models: readonly ModelChoice[], preferences: ModelPreferences = {}): ModelChoice {
  const hints = (preferences.hints ?? []).slice(0, HINTS_MAX)
  for (const { name } of hints) {
    if (name === undefined || name.trim() === '') continue
    const fitting = models.filter((model) => fits(model, name.trim().toLowerCase()))
    if (fitting.length > 0) return best(fitting, preferences)
  }
  return best(models, preferences)
}

/** The table for the option `models` or `model`. Throws `ProviderError` 'invalid_option'. */
export function checkModels(title: string, given: string | readonly (string | ModelChoice)[]): readonly ModelChoice[] {
  const list = typeof given === 'string' ? [given] : given
  if (!Array.isArray(list) || list.length === 0 || list.length > MODELS_MAX) {
    throw invalidOption(`${title}: models must be a model's name or a table of 1 to ${MODELS_MAX} models.`)
  }
  return list.map((row: string | ModelChoice) => {
    const model = typeof row === 'string' ? { name: row } : row
    if (typeof model?.name !== 'string' || model.name === '') {
      throw invalidOption(`${title}: each of models must have a name, got ${JSON.stringify(model?.name) ?? 'nothing'}.`)
    }
    for (const quality of ['cheapness', 'speed', 'intelligence'] as const) {
      const value = model[quality]
      if (value !== undefined && !(typeof value === 'number' && value >= 0 && value <= 1)) {
        throw invalidOption(`${title}: ${quality} of model "${model.name}" must be 0 to 1, got ${String(value)}.`)
      }
    }
    const { maxTokens, aliases } = model
    if (maxTokens !== undefined && !(Number.isSafeInteger(maxTokens) && maxTokens >= 1)) {
      throw invalidOption(`${title}: maxTokens of model "${model.name}" must be a whole number above 0.`)
    }
    if (aliases !== undefined && aliases.length > ALIASES_MAX) {
      throw invalidOption(`${title}: model "${model.name}" may have ${ALIASES_MAX} aliases, got ${aliases.length}.`)
    }
    return model
  })
}

function fits({ name, aliases = [] }: ModelChoice, hint: string): boolean {
  if (name.toLowerCase().includes(hint)) return true
  return aliases.some((alias) => {
    const known = alias.toLowerCase()
    return known !== '' && (known.includes(hint) || hint.includes(known))
  })
}

function best(models: readonly ModelChoice[], preferences: ModelPreferences): ModelChoice {
  const { costPriority = 0, speedPriority = 0, intelligencePriority = 0 } = preferences
  const worth = ({ cheapness = 0.5, speed = 0.5, intelligence = 0.5 }: ModelChoice): number =>
    costPriority * cheapness + speedPriority * speed + intelligencePriority * intelligence
  return models.reduce((chosen, model) => (worth(model) > worth(chosen) ? model : chosen))
}
