// The little that HTML cannot: the stream of numbers (closed while nobody looks, back by itself), what the line on top
// says of it, copy buttons and a few keys. Every page works without this file.
'use strict'

const link = document.getElementById('link')
const SILENT_MS = 5000
let heard = 0

function say (state, words) {
  if (link.dataset.link !== state) link.dataset.link = state
  const span = link.firstElementChild
  if (span.textContent !== words) span.textContent = words
  document.documentElement.classList.toggle('stale', state === 'lost')
}

// An EventSource that is closed while the page is hidden (a browser grants a host few connections) and that tries
// again for ever, at most five seconds apart. htmx's extension sees one source that never dies.
class Stream extends EventTarget {
  constructor (url) {
    super()
    this.url = url
    this.names = new Set()
    this.readyState = EventSource.CONNECTING
    this.wait = 500
    this.watch = () => document.hidden ? this.stop() : this.start()
    document.addEventListener('visibilitychange', this.watch)
    this.listen('beat')
    if (!document.hidden) this.start()
  }

  addEventListener (name, listener) {
    super.addEventListener(name, listener)
    this.listen(name)
  }

  listen (name) {
    if (this.names.has(name)) return
    this.names.add(name)
    if (this.source) this.forward(name)
  }

  forward (name) {
    this.source.addEventListener(name, (event) => {
      heard = Date.now()
      say('live', 'live')
      this.dispatchEvent(new MessageEvent(name, { data: event.data }))
    })
  }

  start () {
    if (this.source || this.readyState === EventSource.CLOSED) return
    clearTimeout(this.timer)
    this.source = new EventSource(this.url)
    this.names.forEach((name) => this.forward(name))
    this.source.onopen = () => { this.wait = 500 }
    this.source.onerror = () => {
      this.stop()
      this.wait = Math.min(this.wait * 2, 5000)
      this.timer = setTimeout(() => this.start(), this.wait)
    }
  }

  stop () {
    clearTimeout(this.timer)
    if (this.source) this.source.close()
    this.source = null
  }

  close () {
    this.stop()
    this.readyState = EventSource.CLOSED
    document.removeEventListener('visibilitychange', this.watch)
  }
}

htmx.createEventSource = (url) => {
  heard = Date.now()
  say('off', 'connecting')
  setInterval(() => {
    const silent = Date.now() - heard
    if (document.hidden) heard = Math.max(heard, Date.now() - SILENT_MS)
    else if (silent > SILENT_MS) say('lost', `last heard ${Math.round(silent / 1000)} s ago`)
  }, 1000)
  return new Stream(url)
}

// A refusal has words for people in it: show them where the answer would have gone.
document.addEventListener('htmx:sendError', () => say('lost', 'no connection'))
document.addEventListener('htmx:responseError', (event) => {
  const form = event.detail.elt
  if (form.matches('form.bench')) form.submit() // as without scripts: what was typed is one step back
  else window.location.assign(event.detail.pathInfo.requestPath)
})

function enliven (root) {
  root.querySelectorAll('[data-copy]').forEach((button) => { button.hidden = !navigator.clipboard })
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (!button) return
  try {
    await navigator.clipboard.writeText(button.dataset.copy)
    button.textContent = 'Copied'
  } catch {
    button.textContent = 'No right'
  }
  setTimeout(() => { button.textContent = 'Copy' }, 1500)
})

// Keys: "/" finds, "g" and a letter goes to a section.
let goes = false
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return
  if (event.key === '/' && document.getElementById('q')) {
    event.preventDefault()
    document.getElementById('q').focus()
  } else if (goes) {
    const section = document.querySelector(`.rail a[data-key="${CSS.escape(event.key)}"]`)
    if (section) section.click()
  }
  goes = event.key === 'g'
})

document.addEventListener('htmx:load', (event) => enliven(event.detail.elt))
enliven(document)

// What is wrong with JSON that is being typed, before anybody runs it; the server says the same.
document.addEventListener('input', (event) => {
  const text = event.target
  const place = text.dataset && text.dataset.json && document.getElementById(text.dataset.json)
  if (!place) return
  let wrong = ''
  try { JSON.parse(text.value) } catch (error) { wrong = `No JSON: ${error.message}` }
  const kind = text.form.elements[text.name.replace('value', 'kind')]
  if (kind && kind.value !== 'text') wrong = ''
  place.textContent = wrong
  text.setAttribute('aria-invalid', wrong ? 'true' : 'false')
})
