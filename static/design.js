// What the design page does beyond the form: it keeps what is being typed, follows a step that moves, and lets steps be
// dragged. The form creates and edits pipelines without this file.
'use strict'

document.documentElement.classList.add('scripted')

// An answer to what the form was a moment ago must not undo what was typed since: the next one is on its way already.
// The field that has the focus keeps its text, unless the answer is about steps, which then stand elsewhere.
let edits = 0
let asked = 0
for (const kind of ['input', 'change']) document.addEventListener(kind, () => { edits += 1 })

// htmx adds the button that has the focus to whatever its form sends; a check presses none.
document.addEventListener('htmx:configRequest', (event) => {
  if (event.detail.elt.id !== 'design') return
  event.detail.formData.delete('edit')
  event.detail.formData.delete('do')
})

document.addEventListener('htmx:beforeRequest', (event) => {
  if (event.detail.elt.id === 'design') asked = edits
})

document.addEventListener('htmx:beforeSwap', (event) => {
  const checks = event.detail.requestConfig.elt.id === 'design'
  if (checks && asked !== edits) event.detail.shouldSwap = false
  Idiomorph.defaults.ignoreActiveValue = checks
})

document.addEventListener('htmx:afterSettle', (event) => {
  const request = event.detail.requestConfig  // none where numbers came by the stream
  if (!request || request.elt.id === 'design') return
  const moved = document.querySelector('#design [autofocus]')
  if (moved) moved.focus()
})

// Keys: Alt and an arrow move the step that has the focus.
document.addEventListener('keydown', (event) => {
  const verb = { ArrowUp: 'up', ArrowDown: 'down' }[event.key]
  const step = verb && event.altKey && event.target.closest('[data-step]')
  const button = step && document.getElementById(`${verb}-${step.dataset.step}`)
  if (!button || button.disabled) return
  event.preventDefault()
  button.click()
})

// Dragging: the grip takes its step along; where it is dropped, the server puts it.
let dragged = null

const stepOf = (event) => event.target instanceof Element ? event.target.closest('#design [data-step]') : null

function clearMarks () {
  document.querySelectorAll('.drop-before, .drop-after').forEach((step) => step.classList.remove('drop-before', 'drop-after'))
}

document.addEventListener('dragstart', (event) => {
  const step = event.target instanceof Element && event.target.matches('.grip') ? stepOf(event) : null
  if (!step) return
  dragged = Number(step.dataset.step)
  event.dataTransfer.effectAllowed = 'move'
  event.dataTransfer.setData('text/plain', '')
  event.dataTransfer.setDragImage(step, 16, 16)
})

document.addEventListener('dragover', (event) => {
  const step = dragged === null ? null : stepOf(event)
  if (!step) return
  event.preventDefault()
  clearMarks()
  step.classList.add(Number(step.dataset.step) < dragged ? 'drop-before' : 'drop-after')
})

document.addEventListener('drop', (event) => {
  const step = dragged === null ? null : stepOf(event)
  if (!step || Number(step.dataset.step) === dragged) return
  event.preventDefault()
  const mover = document.getElementById('mover')
  mover.value = `move-${dragged}-${step.dataset.step}`
  mover.click()
})

document.addEventListener('dragend', () => {
  dragged = null
  clearMarks()
})
