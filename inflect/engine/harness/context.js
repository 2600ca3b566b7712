// What a step is given beside its event: key, headers, place, and the three words that end an event.

const END = freeze({ toString: () => 'the event has ended; do not catch this' })
class Split {
  constructor(parts) { this.parts = parts }
}
let enterStep, endOf, changesOf, branch

const headerText = (name, value) => {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return StringOf(value)
  if (value === null) return null
  throw new TypeError(`the header ${name} must be a string or an array of strings, not ${typeName(value)}`)
}
// An object of name to string or array, as a list of [name, [values]]
function headerList(object, what) {
  if (object === null || object === undefined) return []
  if (typeof object !== 'object' || isArray(object)) throw new TypeError(`context.${what} must be an object of name to string or array, not ${typeName(object)}`)
  const list = []
  for (const [name, value] of entries(object)) {
    if (value === undefined) continue
    const values = []
    if (isArray(value)) for (let n = 0; n < value.length; n++) values[n] = headerText(name, value[n])
    else values[0] = headerText(name, value)
    list[list.length] = [wellFormed(name), values.map(text => text === null ? null : wellFormed(text))]
  }
  return list
}
// Values are lists where a name came twice: those too are each part's own. What is no object is refused when it leaves.
function copyHeaders(object) {
  if (typeof object !== 'object' || object === null) return object
  return fromEntries(entries(object).map(([name, value]) => [name, isArray(value) ? [...value] : value]))
}
// Source headers [[name, text, binary]…] as the object of one kind
function headerObject(source, binary) {
  const found = new Map()
  for (const [name, text, isBinary] of source) {
    if (isBinary !== binary) continue
    if (found.has(name)) {
      const before = found.get(name)
      found.set(name, isArray(before) ? [...before, text] : [before, text])
    } else found.set(name, text)
  }
  return fromEntries(found)
}

class Context {
  #i
  #step = 0
  #end = null
  #key = undefined
  #keyBinary = undefined
  #headers = undefined
  #headersBinary = undefined
  #headersBefore = ''
  constructor(i) { this.#i = i }
  get topic() { return columns.topic }
  get partition() { return columns.partitions[this.#i] }
  get offset() { return columns.offsets[this.#i] }
  get timestamp() { return columns.timestamps[this.#i] }
  get pipeline() { return config.pipeline }
  get revision() { return config.revision }
  get step() { return steps[this.#step].name }
  get params() { return steps[this.#step].params }
  get key() {
    if (this.#key !== undefined) return this.#key
    return this.#keyBinary === undefined ? columns.keys[this.#i] : null
  }
  set key(value) {
    if (value !== null && value !== undefined && typeof value !== 'string') throw new TypeError(`context.key must be a string or null, not ${typeName(value)}`)
    this.#key = value === undefined ? null : value
    this.#keyBinary = undefined
  }
  get keyBinary() {
    if (this.#keyBinary !== undefined) return this.#keyBinary
    return this.#key === undefined ? columns.binaryKeys?.[this.#i] : undefined
  }
  set keyBinary(value) {
    if (typeof value !== 'string') throw new TypeError(`context.keyBinary must be a base64 string, not ${typeName(value)}`)
    this.#keyBinary = value
    this.#key = undefined
  }
  #readHeaders() {
    if (this.#headersBefore !== '') return
    const source = columns.headers?.[this.#i] ?? []
    this.#headers = headerObject(source, false)
    this.#headersBinary = headerObject(source, true)
    this.#headersBefore = stringify([headerList(this.#headers, 'headers'), headerList(this.#headersBinary, 'headersBinary')])
  }
  get headers() { this.#readHeaders(); return this.#headers }
  set headers(value) { this.#readHeaders(); this.#headers = value }
  get headersBinary() { this.#readHeaders(); return this.#headersBinary }
  set headersBinary(value) { this.#readHeaders(); this.#headersBinary = value }
  filter(reason) { this.#finish('filter', reason) }
  reject(reason) { this.#finish('reject', reason) }
  tombstone() { this.#finish('tombstone') }
  split(parts) {
    if (!isArray(parts)) throw new TypeError(`context.split takes an array of events, not ${typeName(parts)}`)
    return new Split([...parts])
  }
  #finish(kind, reason) {
    this.#end ??= [kind, reason === undefined ? null : clean(show(reason), MESSAGE_CHARACTERS)]
    throw END
  }
  static {
    enterStep = (context, step) => { context.#step = step }
    endOf = context => context.#end
    // [key, headers] as they leave: 0 is unchanged, [text, isBinary], [[name, values], …] text and binary
    changesOf = context => {
      let key = 0
      if (context.#keyBinary !== undefined) {
        if (context.#keyBinary !== columns.binaryKeys?.[context.#i]) key = [context.#keyBinary, 1]
      } else if (context.#key !== undefined && (context.#key !== columns.keys[context.#i] || columns.binaryKeys?.[context.#i] !== undefined)) {
        key = [context.#key === null ? null : wellFormed(context.#key), 0]
      }
      if (context.#headersBefore === '') return key === 0 ? null : [key, 0]
      const headers = [headerList(context.#headers, 'headers'), headerList(context.#headersBinary, 'headersBinary')]
      const changed = stringify(headers) !== context.#headersBefore
      return key === 0 && !changed ? null : [key, changed ? headers : 0]
    }
    branch = context => {
      const copy = new Context(context.#i)
      copy.#key = context.#key
      copy.#keyBinary = context.#keyBinary
      if (context.#headersBefore !== '') {
        copy.#headersBefore = context.#headersBefore
        copy.#headers = copyHeaders(context.#headers)
        copy.#headersBinary = copyHeaders(context.#headersBinary)
      }
      return copy
    }
    delete Context.prototype.constructor
  }
}

// A step that cannot see a second argument is spared the context.
function mayReadContext(fn) {
  const source = sourceOf(fn)
  if (fn.length >= 2 || source.includes('[native code]') || source.includes('arguments') || source.startsWith('class')) return true
  const arrow = source.indexOf('=>')
  const brace = source.indexOf('{')
  const head = arrow >= 0 && (brace < 0 || arrow < brace) ? source.slice(0, arrow) : source
  return head.includes('...') || head.includes('=')
}
