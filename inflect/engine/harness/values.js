// Built-ins as they were before any code of a user ran, the state of the batch being run, and values to and from text.
//
// The files of this folder are one function: `engine.isolate` joins them in the order of its `_HARNESS` and runs them in
// strict mode; what the last one returns is what Python calls. Everything is captured before user code is loaded and
// before the built-ins are frozen, so nothing a step does to its world reaches this code.
//
// The rule that makes interruption safe: V8 stops a script only at calls and loop edges, so an event is settled by
// straight-line code that ends with `cursor = i + 1`. Whatever was not reached has not happened.

const { parse, stringify, rawJSON } = JSON
const { freeze, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, preventExtensions, fromEntries, entries } = Object
const { ownKeys, apply, construct } = Reflect
const { isArray } = Array
const { isSafeInteger } = Number
const { isError } = Error
const { now } = Date
const { max } = Math
const evaluate = eval
const StringOf = String
const BigIntOf = BigInt
const then = Promise.prototype.then
const resolved = Promise.resolve.bind(Promise)
const wellFormed = Function.prototype.call.bind(String.prototype.toWellFormed)
const isWellFormed = Function.prototype.call.bind(String.prototype.isWellFormed)
const sliceText = Function.prototype.call.bind(String.prototype.slice)
const splitText = Function.prototype.call.bind(String.prototype.split)
const findText = Function.prototype.call.bind(String.prototype.indexOf)
const codeAt = Function.prototype.call.bind(String.prototype.charCodeAt)
const joinList = Function.prototype.call.bind(Array.prototype.join)
const testPattern = Function.prototype.call.bind(RegExp.prototype.test)
const sourceOf = Function.prototype.call.bind(Function.prototype.toString)
const integerText = Function.prototype.call.bind(BigInt.prototype.toString)

const SEPARATOR = '\x1e' // RFC 7464's record separator: cannot occur in JSON
const MESSAGE_CHARACTERS = 4096
const LOG_CHARACTERS = 2000
const LOG_LINES = 100
const DIGITS = 4096 // longer integers are refused: reading them takes quadratic time
const DEPTH = 1000 // where widely used JSON readers give up: deeper is poison for whoever consumes it
const ASYNC_SLICE_MS = 100
// 16 digits in a row may be past 2^53; an exponent of three digits may be past what a double holds
const DELICATE = /\d{16}|(?:^|[:,[\s])-?\d[\d.]*[eE]\+?\d{3}/
const INTEGER = /^-?\d+$/

// progress[0]: the event being run, or their number when none is; progress[1]: its step. Read by Python when the isolate
// no longer answers. Python sets progress[0] to -1 before each batch: as long as it is, the batch is not taken.
const progress = new Int32Array(new SharedArrayBuffer(8))

let config, steps, functions, stepCount, usesContext, isFilter
const sources = new Map()
const required = new Map() // per module, the paths it has required
const modules = new Map()

// ---- the batch being run -------------------------------------------------------------------------------------
let lines, delicate, columns, timed
let cursor = 0 // everything below is settled
let callStart = -1 // the event that the current call began with, for "timed out at its first event"; -1: with more than that
let outs, outputCharacters, halted, stopped
let failures, kept, specials // by event, so that settling one again changes nothing
let logs, logsDropped
let plainEvents, filteredAt, failedAt, tasks, stepTicks, timedEvents
let task = null // the event that left the fast path
let generation = 0 // promises of events that are already settled are ignored
let sliceEnd = 0
let paused = false
let trace = null

// ---- text ----------------------------------------------------------------------------------------------------
const clean = (text, limit) => wellFormed(text.length > limit ? sliceText(text, 0, limit) + '…' : text)

function typeName(value) {
  if (value === null) return 'null'
  if (isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
}

// How console and messages show a value; never throws.
function show(value) {
  try {
    if (typeof value === 'string') return value
    if (isError(value)) return StringOf(value.stack)
    if (typeof value === 'object' && value !== null) return stringify(value) ?? StringOf(value)
    return typeof value === 'bigint' ? `${integerText(value)}n` : StringOf(value)
  } catch {
    return typeof value === 'object' ? '[an object that cannot be shown]' : `[${typeName(value)}]`
  }
}

// ---- errors --------------------------------------------------------------------------------------------------
const places = new WeakMap()
const remember = places.set.bind(places)
const placeOf = places.get.bind(places)
const memoryErrors = new WeakSet()
const isMemoryError = memoryErrors.has.bind(memoryErrors)
const addMemoryError = memoryErrors.add.bind(memoryErrors)
const WRAPPER = '(function (exports, require, module, __filename, __dirname) {'

Error.stackTraceLimit = 20
// Frames of this harness are hidden; the first frame in a file of the user is remembered as the error's place.
Error.prepareStackTrace = (error, sites) => {
  let text = ''
  try {
    text = `${error.name}: ${error.message}`
  } catch { /* a getter that throws */ }
  let place
  for (let n = 0; n < sites.length; n++) {
    const file = sites[n].getScriptNameOrSourceURL()
    if (!sources.has(file)) continue
    const line = sites[n].getLineNumber()
    const column = sites[n].getColumnNumber() - (line === 1 ? WRAPPER.length : 0)
    place ??= [file, line, column]
    text += `\n    at ${sites[n].getFunctionName() ?? '(anonymous)'} (${file}:${line}:${column})`
  }
  if (place && typeof error === 'object') remember(error, place)
  return text
}

// What breaks a schema. `path` (a JSON pointer) grows from the value outwards while the fault passes what it lies in; a
// `stage` other than that of the code that catches it is set where it is known.
class SchemaFault {
  #own = true // what a thrown thing is may not be asked of the thing: it may be a proxy
  static is = thrown => typeof thrown === 'object' && thrown !== null && #own in thrown
  constructor(message, rule = '', stage = null) {
    this.message = message
    this.rule = rule
    this.stage = stage
    this.path = ''
  }
}
const isFault = SchemaFault.is
const stageOf = (thrown, otherwise) => isFault(thrown) ? thrown.stage ?? otherwise : otherwise
const PATH_CHARACTERS = 1000
const describeFault = ({ path, message, rule }) => {
  const place = path === '' ? 'at the top' : `at ${clean(path, PATH_CHARACTERS)}`
  return ['schema', clean(`${place}: ${message}${rule === '' ? '' : ` (rule: ${rule})`}`, MESSAGE_CHARACTERS), null, null, null, clean(path, PATH_CHARACTERS)]
}

// What was thrown, as [kind, message, file, line, column, path]; the thrown value may be hostile.
function describe(thrown) {
  if (isFault(thrown)) return describeFault(thrown)
  let message
  let place
  let kind = 'exception'
  try {
    if (isError(thrown)) {
      void thrown.stack
      place = placeOf(thrown)
      if (isMemoryError(thrown)) kind = 'memory'
      const name = StringOf(thrown.name)
      const text = StringOf(thrown.message)
      message = text ? `${name}: ${text}` : name
    } else {
      message = `thrown: ${show(thrown)}`
    }
  } catch {
    message = 'an error that cannot be shown was thrown'
  }
  return place ? [kind, clean(message, MESSAGE_CHARACTERS), ...place, null] : [kind, clean(message, MESSAGE_CHARACTERS), null, null, null, null]
}

// ---- decoding and encoding -----------------------------------------------------------------------------------
function exactNumber(_key, value, context) {
  if (typeof value !== 'number' || isSafeInteger(value)) return value
  const source = context.source
  if (source === undefined) return value
  if (testPattern(INTEGER, source)) {
    if (source.length > DIGITS) throw new SyntaxError(`an integer of ${source.length} digits; at most ${DIGITS} are read`)
    return BigIntOf(source)
  }
  if (value === Infinity || value === -Infinity) throw new SyntaxError(`the number ${source} is too large for a double`)
  return value
}
defineProperty(BigInt.prototype, 'toJSON', { value() { return rawJSON(integerText(this)) }, writable: true, configurable: true })

const parseLine = line => delicate && testPattern(DELICATE, line) ? parse(line, exactNumber) : parse(line)

// Whether JSON text opens so many objects and arrays that it may be too deep: a native search, a hop for each.
function opensOften(text) {
  let opened = 0
  for (const bracket of ['{', '[']) {
    for (let at = findText(text, bracket); at >= 0 && opened <= DEPTH; at = findText(text, bracket, at + 1)) opened++
  }
  return opened > DEPTH
}

function isTooDeep(text) {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = codeAt(text, at)
    if (code === 0x22) {
      while (codeAt(text, ++at) !== 0x22) if (codeAt(text, at) === 0x5c) at++
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > DEPTH) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}

const encoders = {
  json(value) {
    const text = stringify(value)
    if (text === undefined) throw new TypeError(`the result is ${typeName(value)}, which JSON cannot hold`)
    if (text.length > 2 * DEPTH && opensOften(text) && isTooDeep(text))
      throw new RangeError(`the result is nested deeper than ${DEPTH} levels, which readers of JSON refuse`)
    return text
  },
  // one JSON string an event, decoded in Python
  string(value) {
    if (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol')
      throw new TypeError(`the target's format is string, but the result is ${typeName(value)}; return a string`)
    const text = StringOf(value)
    if (!isWellFormed(text)) throw new TypeError('the result holds half of a surrogate pair, which UTF-8 cannot hold')
    return stringify(text)
  },
  bytes(value) {
    if (typeof value !== 'string') throw new TypeError(`the target's format is bytes, but the result is ${typeName(value)}; return a base64 string`)
    return stringify(value)
  },
}
// The ends of the pipeline: a line to a value, a value to an output. A codec opens both where a format needs a schema
// (`ends.js`).
let decode = parseLine
let encode
const codecs = {}
let sourceCodec = null
