// Compares what two evaluators decided:
//
//     node compare.mjs FOLDER PACKAGES
//
// FOLDER has bundles.jsonl, ours and theirs, line by line; the differences that nothing explains are written to
// its folder `differences`, one bundle a file. PACKAGES is where peer.mjs finds the peer. Exit status 1 if there is
// such a difference, or a line that either could not decide.
import { spawnSync } from 'node:child_process'
import { createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { classes } from './differences.mjs'

const [folder, packages] = process.argv.slice(2)
const names = Object.keys(classes)

const count = (counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1)

async function* together(...files) {
  const read = (file) => createInterface({ input: createReadStream(join(folder, file)), crlfDelay: Infinity })
  const all = files.map((file) => read(file)[Symbol.asyncIterator]())
  for (;;) {
    const next = await Promise.all(all.map((lines) => lines.next()))
    if (next.every(({ done }) => done)) return
    if (next.some(({ done }) => done)) throw new Error(`${files.join(', ')} have not the same number of lines`)
    yield next.map(({ value }) => value)
  }
}

/** The bundle rewritten by these classes; `undefined` where none of them finds its construct. */
function rewritten(line, by) {
  const bundle = JSON.parse(line)
  const changes = by.filter((name) => classes[name](bundle))
  return changes.length > 0 ? { text: JSON.stringify(bundle), changes } : undefined
}

/** What may explain a difference: each class alone, the least first; then all that find something, together. */
function attempts(line) {
  const alone = names.map((name) => rewritten(line, [name])).filter(Boolean)
  const together = alone.length > 1 ? [rewritten(line, names)] : []
  return [...alone, ...together]
}

/**
 * Is what they decided one of what we leave open? Of several things that are open the peer may read each its own way:
 * so an implicit denial lies between an allowed request and one that is denied explicitly.
 */
const fits = ({ ours, otherwise }, theirs) =>
  theirs === ours || theirs === otherwise ||
  (ours === 'allow' && otherwise === 'explicit_deny' && theirs === 'implicit_deny')

/** Asks the peer again, about all attempts at once. */
function askPeer(texts) {
  if (texts.length === 0) return []
  const peer = fileURLToPath(new URL('peer.mjs', import.meta.url))
  const input = texts.join('\n') + '\n'
  const run = spawnSync(process.execPath, [peer, packages], { input, encoding: 'utf8', maxBuffer: 1 << 30 })
  if (run.status !== 0) throw new Error(`the peer failed: ${run.stderr}`)
  return run.stdout.trimEnd().split('\n')
}

const mix = new Map()
const open = new Map()
const pending = []
let all = 0
let undecided = 0
for await (const [line, our, theirs] of together('bundles.jsonl', 'ours', 'theirs')) {
  all++
  const [ours, otherwise] = our.split(' ')
  if (ours === 'error' || theirs.startsWith('error')) {
    if (undecided++ === 0) console.log(`undecided, the first: ${our} | ${theirs}\n${line}`)
    continue
  }
  count(mix, ours)
  const decision = { ours, otherwise }
  if (!fits(decision, theirs)) pending.push({ line, ...decision, theirs, attempts: attempts(line) })
  else if (otherwise) count(open, theirs === ours ? 'decided alike' : 'decided otherwise')
}

const answers = askPeer(pending.flatMap((difference) => difference.attempts.map(({ text }) => text)))
const explained = new Map()
const unexplained = []
let at = 0
for (const difference of pending) {
  const answered = difference.attempts.map((attempt) => ({ ...attempt, theirs: answers[at++] }))
  const why = answered.find((attempt) => fits(difference, attempt.theirs))
  if (why) count(explained, why.changes.length > 1 ? 'several of these together' : why.changes[0])
  else unexplained.push(difference)
}

const differences = join(folder, 'differences')
rmSync(differences, { recursive: true, force: true })
mkdirSync(differences, { recursive: true })
for (const [n, { line, ours, theirs }] of unexplained.entries()) {
  const text = JSON.stringify({ ours, theirs, bundle: JSON.parse(line) }, null, 1)
  writeFileSync(join(differences, `${n + 1}-${ours}-${theirs}.json`), text + '\n')
}

function print(title, counts) {
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  console.log(`${title}: ${sorted.reduce((sum, [, n]) => sum + n, 0)}`)
  for (const [name, n] of sorted) console.log(`  ${String(n).padStart(7)}  ${name}`)
}
console.log(`requests: ${all}`)
print('decided by us', mix)
print('left open by the documentation', open)
print('different, and explained', explained)
console.log(`different, and not explained: ${unexplained.length}`)
console.log(`undecided: ${undecided}`)
process.exitCode = unexplained.length + undecided > 0 ? 1 : 0
