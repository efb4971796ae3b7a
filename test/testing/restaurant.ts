/**
 * A planted fault: the desk tells the cook and the waiter at once, and nobody makes the waiter wait. First come, first served,
 * the dish is always there before he is; when he goes ahead of the cook, he finds none.
 */
import { defineActor, type Ref } from 'bough/runtime'
import type { Simulation } from 'bough/testing'

const Counter = defineActor({
  name: 'counter',
  init: () => ({ dishes: 0, missed: 0 }),
  cast: {
    put: (state) => {
      state.dishes++
    },
    take: (state) => {
      if (state.dishes === 0) state.missed++
      else state.dishes--
    },
  },
  call: { missed: (state) => state.missed },
})

const Cook = defineActor({
  name: 'cook',
  init: (counter: Ref<typeof Counter>) => counter,
  cast: { order: (counter) => void counter.cast('put') },
})

const Waiter = defineActor({
  name: 'waiter',
  init: (counter: Ref<typeof Counter>) => counter,
  cast: { order: (counter) => void counter.cast('take') },
})

/** Serves `orders` dishes and throws when one was not there. */
export async function serveDishes(sim: Simulation, orders = 3): Promise<void> {
  const counter = await sim.start(Counter)
  const cook = await sim.start(Cook, counter)
  const waiter = await sim.start(Waiter, counter)
  for (let order = 0; order < orders; order++) {
    cook.cast('order')
    waiter.cast('order')
  }
  await sim.settle()
  const missed = await sim.run(counter.call('missed'))
  if (missed > 0) throw new Error(`${missed} dishes were not there`)
}
