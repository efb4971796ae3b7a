/**
 * Restart intensity: how often a supervisor may restart within a period before it gives up. The window includes its edge;
 * intensity N allows N restarts in it and the next one is too many.
 * After: OTP supervisor, add_restart; counted in milliseconds where OTP counts whole seconds.
 */
export class RestartWindow {
  private readonly intensity: number
  private readonly periodMs: number
  /** The newest restarts, oldest first; never more than `intensity` + 1. */
  private times: number[] = []

  constructor(intensity: number, periodMs: number) {
    this.intensity = intensity
    this.periodMs = periodMs
  }

  /** A window with other limits that remembers the same restarts. */
  resized(intensity: number, periodMs: number): RestartWindow {
    const window = new RestartWindow(intensity, periodMs)
    window.times = [...this.times]
    return window
  }

  /** Notes a restart at `now`; false when it is one too many. */
  add(now: number): boolean {
    const oldest = now - this.periodMs
    this.times = this.times.filter((time) => time >= oldest)
    this.times.push(now)
    if (this.times.length > this.intensity + 1) this.times.shift()
    return this.times.length <= this.intensity
  }
}
