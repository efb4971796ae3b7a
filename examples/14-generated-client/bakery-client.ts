/**
 * Written by `bough codegen`. Write it again rather than change it.
 *
 * The server: bakery 1.0.0
 */
import type { CallToolOptions, Client, PageOptions, RequestOptions } from 'bough/client'
import { type PromptResult, parseTemplate, type ReadResult, type ToolResult } from 'bough/protocol'

export type BakeBreadInput = {
  /** Which bread */
  readonly kind: 'rye' | 'wheat'
  /** Value: integer, minimum 1, maximum 20, default 1. */
  readonly loaves?: number
  readonly delivery?: BakeBreadInputAddress
}

export type BakeBreadInputAddress = {
  readonly street?: string
  readonly city: string
}

export type BakeBreadOutput = {
  readonly price: number
  readonly label: string
}

export type CloseShopInput = { readonly [key: string]: unknown }

export type RecipeArguments = {
  /** Of which bread */
  readonly kind: string
  readonly tone?: string
}

export type OrderVariables = {
  readonly id: string | number | boolean
  readonly lines?: string | number | boolean
}

/** The result of a tool with an output schema: the value, unless the tool says that it failed. */
export type StructuredResult<Output> =
  | (ToolResult & { readonly isError?: false; readonly structuredContent: Output })
  | (ToolResult & { readonly isError: true })

/** What the server offers, through a client that is connected to it. */
export function bakeryClient(client: Client) {
  const call = <Result>(name: string, args: unknown, options?: CallToolOptions): Promise<Result> => {
    const result: Promise<unknown> = client.callTool(name, (args ?? {}) as Readonly<Record<string, unknown>>, options)
    return result as Promise<Result>
  }
  return {
    /** The client itself, for everything else. */
    client,
    /** Each calls one tool, and resolves to its whole result. */
    tools: {
      /** Bakes loaves and says what they cost */
      bakeBread: (args: BakeBreadInput, options?: CallToolOptions): Promise<StructuredResult<BakeBreadOutput>> =>
        call('bake-bread', args, options),
      /** Closes for today */
      closeShop: (args?: CloseShopInput, options?: CallToolOptions): Promise<ToolResult> =>
        call('close_shop', args, options),
    },
    /** Each gets one prompt. */
    prompts: {
      /** Asks for a recipe */
      recipe: (args: RecipeArguments, options?: RequestOptions): Promise<PromptResult> =>
        client.getPrompt('recipe', args, options),
    },
    /** Each reads one resource. */
    resources: {
      /**
       * Loaves in the shop
       * `bakery://stock`
       */
      stock: (options?: PageOptions): Promise<ReadResult> => client.readResource('bakery://stock', options),
    },
    /** Each reads one resource of a template. */
    templates: {
      /**
       * One order
       * `bakery://orders/{id}{?lines}`
       */
      order: (variables: OrderVariables, options?: PageOptions): Promise<ReadResult> =>
        client.readResource(parseTemplate('bakery://orders/{id}{?lines}').expand(variables), options),
    },
  }
}

export type BakeryClient = ReturnType<typeof bakeryClient>
