// Protobuf: what writes a field or a message, and checks it first.

function messageWriter(schema, type) {
  const functions = []
  const names = new Map()
  const oneofs = new Map()
  const body = fieldsOf(type).map((field, n) => {
    functions.push(fieldWriter(schema, field))
    names.set(field.name, field.name)
    if (field.jsonName !== field.name) names.set(field.jsonName, field.name)
    const lines = [`x = ${member('v', field.name)}; f = ${stringify(field.name)}`]
    if (field.jsonName !== field.name && type.fields[field.jsonName] === undefined) lines.push(`if (x === undefined) { x = ${member('v', field.jsonName)}; f = ${stringify(field.jsonName)} }`)
    lines.push('if (x !== undefined) n++')
    if (isOneof(field)) {
      const local = oneofs.get(field.partOf) ?? `o${oneofs.size}`
      oneofs.set(field.partOf, local)
      lines.push(`if (x !== undefined && x !== null) { if (${local} !== '') twice(${local}, ${stringify(field.partOf.name)}); ${local} = f }`)
    }
    return `${lines.join('; ')}; w[${n}](x)`
  })
  const refuseOthers = value => {
    const seen = new Set()
    for (const key of keys(value)) {
      if (value[key] === undefined) continue
      if (!names.has(key)) throw inside(new SchemaFault('is no field of the message', `${fullName(type)} has ${clean([...type.fieldsArray.map(field => field.name)].join(', '), QUOTED_CHARACTERS)}`), key)
      if (seen.has(names.get(key))) throw inside(new SchemaFault('is there twice: by its name and by its JSON name', fullName(type)), key)
      seen.add(names.get(key))
    }
  }
  const rule = fullName(type)
  const check = value => {
    if (scriptTypeOf(value) !== 'object') throw notOf(value, `a message ${rule}`, rule)
    deeper(MESSAGE_DEPTH, rule)
  }
  const twice = (other, oneof) => { throw new SchemaFault(`is set, and ${other} is too: only one of ${oneof} can be`, `${rule}.${oneof}: oneof`) }
  const locals = [...oneofs.values()].map(local => `, ${local} = ''`).join('')
  return FunctionOf('w', 'check', 'keys', 'hasOwn', 'refuseOthers', 'twice', 'shallower', 'inside', `'use strict'
    return v => { let f, x, n = 0${locals}; check(v); try { ${body.join('\n')} } catch (e) { throw inside(e, f) }
      shallower(); if (keys(v).length !== n) refuseOthers(v) }`)(
    functions, check, keys, hasOwn, refuseOthers, twice, () => { depth-- }, inside)
}
const member = (of, name) => name in Object.prototype ? `(hasOwn(${of}, ${stringify(name)}) ? ${of}[${stringify(name)}] : undefined)` : `${of}[${stringify(name)}]`
const scriptTypeOf = value => value === null ? 'null' : isArray(value) ? 'array' : typeof value

// A function that writes one field with its tag, or nothing where it is not set.
function fieldWriter(schema, field) {
  if (field.map) return mapFieldWriter(schema, field)
  const kind = kindOf(schema, field)
  const rule = ruleOf(field)
  const tag = (field.id << 3 | kind.wire) >>> 0
  const { check, write, takesNull } = kind
  if (field.repeated) return repeatedWriter(field, kind, rule)
  const put = value => {
    writeVarint(tag)
    write(value)
  }
  if (field.required) return value => {
    if (value === undefined || value === null) throw new SchemaFault('is missing', `${rule}, required`)
    if (check !== null) check(value, rule)
    put(value)
  }
  if (takesNull) return value => { if (value !== undefined && (value !== null || check === null || isOneof(field))) put(value) }
  if (check === null) return value => { if (value !== undefined && value !== null) put(value) }
  const isZero = kind.isZero ?? (zero => value => is(value, zero) || value === 0n)(kind.zero)
  return isImplicit(field)
    ? value => {
      if (value === undefined || value === null) return
      check(value, rule)
      if (!isZero(value) && value !== '') put(value)
    }
    : value => {
      if (value === undefined || value === null) return
      check(value, rule)
      put(value)
    }
}

function repeatedWriter(field, { wire, check, write, takesNull }, rule) {
  const packed = field.packed && wire !== DELIMITED
  const tag = (field.id << 3 | (packed ? DELIMITED : wire)) >>> 0
  return value => {
    if (value === undefined || value === null) return
    if (!isArray(value)) throw notOf(value, 'an array', rule)
    if (value.length === 0) return
    let start = 0
    if (packed) {
      writeVarint(tag)
      start = beginPart()
    }
    let n = 0
    try {
      for (; n < value.length; n++) {
        const item = value[n]
        if (check !== null) check(item, rule)
        else if (item === undefined || item === null && !takesNull) throw notOf(item, 'a message', rule)
        if (!packed) writeVarint(tag)
        write(item)
      }
    } catch (error) {
      throw inside(error, n)
    }
    if (packed) endPart(start, false)
  }
}

const WHOLE = /^-?(?:0|[1-9]\d{0,19})$/
// A map's key as its object has it, as the type of the key
function mapKey(type, name, rule) {
  if (type === 'string') return name
  if (type === 'bool' && (name === 'true' || name === 'false')) return name === 'true'
  if (type === 'bool' || !testPattern(WHOLE, name)) throw new SchemaFault(`the key ${quote(name)} is not of type ${type}`, rule)
  const key = BigIntOf(name)
  const number = Number(key)
  return isSafeInteger(number) ? number : key
}

function mapFieldWriter(schema, field) {
  const rule = ruleOf(field)
  const key = SCALARS[field.keyType]
  const value = kindOf(schema, field)
  const tag = (field.id << 3 | DELIMITED) >>> 0
  return map => {
    if (map === undefined || map === null) return
    if (scriptTypeOf(map) !== 'object') throw notOf(map, 'an object', rule)
    for (const name of keys(map)) {
      const item = map[name]
      if (item === undefined) continue
      try {
        const typed = mapKey(field.keyType, name, rule)
        key.check(typed, rule)
        if (value.check !== null) value.check(item, rule)
        else if (item === null && !value.takesNull) throw notOf(item, 'a message', rule)
        writeVarint(tag)
        const start = beginPart()
        writeVarint(8 | key.wire)
        key.write(typed)
        writeVarint(16 | value.wire)
        value.write(item)
        endPart(start, false)
      } catch (error) {
        throw inside(error, name)
      }
    }
  }
}
