// What avsc expects of node when it is loaded and does not use where it only reads schemas.
export class Buffer extends Uint8Array {
  static alloc(size) { return new Buffer(size) }
  static allocUnsafeSlow(size) { return new Buffer(size) }
}

// %s and %j, which is all that its messages hold
export function format(text, ...values) {
  return text.replace(/%[sj]/g, mark => {
    const value = values.shift()
    return mark === '%j' ? JSON.stringify(value) : String(value)
  })
}

export const debuglog = () => () => {}

export function inherits(child, parent) {
  Object.setPrototypeOf(child.prototype, parent.prototype)
}
