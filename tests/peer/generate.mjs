// Random bundles, each with a request, one a line on standard output:
//
//     node generate.mjs COUNT SEED
//
// A request comes first; policies are then drawn near it, so that about as much is allowed as is denied, and
// what decides is often one value, one wildcard or one operator. The same seed gives the same lines.

const OURS = '111122223333'
const OTHER = '444455556666'
const MANAGEMENT = '999988887777'
const FOREIGN = '777700001111'

const PERIMETER = {
  version: 1,
  organization: 'o-exampleorgid',
  management_account: MANAGEMENT,
  environments: { production: { mode: 'enforce', accounts: [OURS, OTHER] } },
}

/** Mulberry32: small, seeded, good enough to draw by. */
function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

let draw = random(0)
const chance = (probability) => draw() < probability
const one = (list) => list[Math.floor(draw() * list.length)]
const some = (most, make) => Array.from({ length: Math.floor(draw() * (most + 1)) }, make)
/** `[weight, value]` pairs. */
function weighted(pairs) {
  let left = draw() * pairs.reduce((sum, [weight]) => sum + weight, 0)
  return (pairs.find(([weight]) => (left -= weight) < 0) ?? pairs.at(-1))[1]
}

// Whom, what, on which resource.

const account = () => weighted([[30, OURS], [4, OTHER], [1, MANAGEMENT], [1, FOREIGN]])

function caller() {
  const own = account()
  const role = one(['app', 'service/app', 'ops'])
  const session = `arn:aws:sts::${own}:assumed-role/${role.split('/').at(-1)}/run-1`
  return weighted([
    [4, { kind: 'role', account: own, arn: `arn:aws:iam::${own}:role/${role}` }],
    [8, { kind: 'session', account: own, arn: `arn:aws:iam::${own}:role/${role}`, session }],
    [4, { kind: 'user', account: own, arn: `arn:aws:iam::${own}:user/${one(['alice', 'team/bob'])}` }],
    [1, { kind: 'root', account: own, arn: `arn:aws:iam::${own}:root` }],
    [1, { kind: 'linked', account: own, arn: `arn:aws:iam::${own}:role/aws-service-role/x.amazonaws.com/Linked` }],
    [1, { kind: 'service', account: '', arn: one(['replication.dynamodb.amazonaws.com', 'dax.amazonaws.com']) }],
  ])
}

const OF_ITEMS = ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query', 'Scan', 'BatchGetItem', 'PartiQLSelect']
const OF_TABLES = ['DescribeTable', 'UpdateTable', 'DeleteTable', 'TagResource', 'ExportTableToPointInTime']

function target(table) {
  return weighted([
    [12, () => ({ action: one(OF_ITEMS), resource: table })],
    [3, () => ({ action: one(OF_TABLES), resource: table })],
    [3, () => ({ action: one(['Query', 'Scan']), resource: `${table}/index/by-day` })],
    [2, () => ({ action: one(['GetRecords', 'DescribeStream']), resource: `${table}/stream/2026-01-01T00:00:00.000` })],
    [1, () => ({ action: 'DeleteBackup', resource: `${table}/backup/01` })],
    [1, () => ({ action: one(['ListTables', 'DescribeLimits']), resource: '*' })],
    [1, () => ({ action: 'CreateTable', resource: table })],
  ])()
}

// The keys of the request. A key has a type, which says by which operators it is asked for, and a pool of values
// that lie close together.

const TEXTS = {
  'aws:SourceVpc': ['vpc-0a1', 'vpc-0a2', 'vpc-0b1'],
  'aws:SourceVpce': ['vpce-0a1', 'vpce-0b2'],
  'aws:PrincipalOrgID': ['o-exampleorgid', 'o-other'],
  'aws:PrincipalTag/team': ['red', 'Red', 'blue', 'r*d', 'a?b', '', 'é'],
  'aws:PrincipalTag/stage': ['red', 'prod', 'orders', 'vpc-0a1'],
  'aws:ResourceTag/team': ['red', 'blue', 'prod'],
  'dynamodb:Select': ['COUNT', 'SPECIFIC_ATTRIBUTES'],
  'aws:userid': ['AROAEXAMPLEEXAMPLE01:run-1', 'AIDAEXAMPLEEXAMPLE02'],
}
const SETS = {
  'aws:CalledVia': ['athena.amazonaws.com', 'cloudformation.amazonaws.com'],
  'dynamodb:LeadingKeys': ['red', 'blue', 'red-1', ''],
  'dynamodb:Attributes': ['id', 'name', 'Name', 'secret'],
  'aws:TagKeys': ['team', 'Team', 'stage'],
}
const ADDRESSES = ['203.0.113.7', '203.0.113.200', '10.1.2.3', '2001:db8::1', '2001:db8:1::9']
const NUMBERS = ['0', '7', '7.5', '-3', '3600']
const TIMES = ['2026-01-01T00:00:00Z', '2026-06-30T12:00:00Z', '2026-07-01T00:00:00Z']
const EPOCHS = ['1767225600', '1782820800', '1782864000']
const ARNS = ['arn:aws:lambda:eu-west-1:111122223333:function:sync', 'arn:aws:events:us-east-1:444455556666:rule/day']
const BYTES = ['cmVk', 'Ymx1ZQ==']

function context(who, what) {
  const keys = {}
  for (const [key, pool] of Object.entries(TEXTS)) if (chance(0.6)) keys[key] = one(pool)
  for (const [key, pool] of Object.entries(SETS)) if (chance(0.6)) keys[key] = some(2, () => one(pool))
  if (chance(0.5)) keys['aws:SourceIp'] = one(ADDRESSES)
  if (chance(0.5)) keys['aws:VpcSourceIp'] = one(ADDRESSES)
  if (chance(0.6)) keys['aws:MultiFactorAuthAge'] = one(NUMBERS)
  if (chance(0.8)) keys['aws:CurrentTime'] = one(TIMES)
  if (chance(0.5)) keys['aws:EpochTime'] = one(EPOCHS)
  if (chance(0.6)) keys['aws:SecureTransport'] = one(['true', 'false'])
  if (chance(0.5)) keys['aws:SourceArn'] = one(ARNS)
  if (chance(0.3)) keys['example:Digest'] = one(BYTES)
  // What the simulation would fill in by itself stands in every request, so that both are asked the same.
  keys['aws:ViaAWSService'] = one(['true', 'false', 'false'])
  keys['aws:PrincipalIsAWSService'] = String(who.kind === 'service')
  keys['aws:RequestedRegion'] = what.resource.split(':')[3] || 'eu-west-1'
  keys['aws:ResourceAccount'] = what.resource.split(':')[4] || who.account
  if (who.kind === 'service') return keys
  keys['aws:PrincipalArn'] = who.arn
  keys['aws:PrincipalAccount'] = who.account
  keys['aws:PrincipalType'] = { user: 'User', root: 'Account' }[who.kind] ?? 'AssumedRole'
  keys['aws:PrincipalOrgID'] ??= 'o-exampleorgid'
  return keys
}

// Conditions near the request.

const absent = '0-nothing'
const valueOf = (keys, key) => (Array.isArray(keys[key]) ? (one(keys[key]) ?? absent) : (keys[key] ?? absent))

/** A wildcard in the place of something. */
function wild(text) {
  if (text === '') return '*'
  const at = Math.floor(draw() * text.length)
  return weighted([
    [3, text.slice(0, at) + '*'],
    [2, '*' + text.slice(at)],
    [2, text.slice(0, at) + '?' + text.slice(at + 1)],
    [1, text.slice(0, at) + '*' + text.slice(Math.min(text.length, at + 2))],
    [1, '*'],
  ])
}

/** The characters that have a meaning, by the variables that stand for them. */
const escaped = (text) => text.replace(/[*?$]/g, (character) => '${' + character + '}')

const defaults = ['red', 'vpc-0a1', 'orders', 'r, d', 'a}b']
const variable = () => {
  const key = one(['aws:PrincipalTag/team', 'aws:PrincipalTag/stage', 'aws:SourceVpc', 'aws:PrincipalAccount', 'aws:TagKeys'])
  return chance(0.3) ? '${' + key + ", '" + one(defaults) + "'}" : '${' + key + '}'
}

/** A text that is, or nearly is, the request's. */
function nearText(text, pool) {
  return weighted([
    [8, () => text],
    [4, () => one(pool)],
    [4, () => wild(text)],
    [1, () => text.toUpperCase()],
    [1, () => escaped(text)],
    [1, () => variable()],
    [1, () => wild(text) + variable()],
  ])()
}

function nearArn(value) {
  const text = value === absent ? one(ARNS) : value
  const parts = text.split(':')
  const at = one([1, 2, 3, 4, 5, 5, 5])
  return weighted([
    [4, () => text],
    [4, () => parts.with(at, wild(parts[at] ?? '')).join(':')],
    [1, () => parts.with(5, parts.slice(5).join(':') + one(['', '/*', '*'])).slice(0, 6).join(':')],
    [1, () => 'arn:aws:iam::*:role/*'],
    [1, () => 'arn:aws:iam::${aws:PrincipalAccount}:' + parts.slice(5).join(':')],
    [1, () => parts.slice(0, 5).join(':') + ':' + variable()],
    [1, () => one(['*', 'arn:aws:iam::*'])],
  ])()
}

const BLOCKS = ['203.0.113.0/24', '203.0.113.7', '203.0.113.0/25', '0.0.0.0/0', '10.0.0.0/8', '::/0', '2001:db8::/32', '2001:DB8::1', '0.0.0.0/1']
const DATES = [...TIMES, '2026-01-01', '2026-07', '2026-06-30T12:00Z', '2026-06-30T14:00:00+02:00', ...EPOCHS, 'soon']
const AMOUNTS = [...NUMBERS, '7.50', '07', '12abc', 'many']

const families = {
  text: (keys, key, pool) => [
    one(['StringEquals', 'StringNotEquals', 'StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', 'StringLike', 'StringNotLike']),
    () => nearText(valueOf(keys, key), pool),
  ],
  arn: (keys, key) => [
    one(['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike', 'StringLike', 'StringNotLike']),
    () => nearArn(valueOf(keys, key)),
  ],
  address: () => [one(['IpAddress', 'NotIpAddress']), () => one(BLOCKS)],
  number: () => [
    'Numeric' + one(['Equals', 'NotEquals', 'LessThan', 'LessThanEquals', 'GreaterThan', 'GreaterThanEquals']),
    () => one(AMOUNTS),
  ],
  date: () => [
    'Date' + one(['Equals', 'NotEquals', 'LessThan', 'LessThanEquals', 'GreaterThan', 'GreaterThanEquals']),
    () => one(DATES),
  ],
  bool: () => ['Bool', () => one(['true', 'false', 'True', true, false])],
  bytes: () => ['BinaryEquals', () => one(BYTES)],
}

/** Keys by family. */
function asked(keys) {
  return weighted([
    [8, () => { const key = one(Object.keys(TEXTS)); return ['text', key, TEXTS[key]] }],
    [5, () => { const key = one(Object.keys(SETS)); return ['text', key, SETS[key]] }],
    [1, () => ['text', one(['aws:PrincipalAccount', 'aws:ResourceAccount']), [OURS, OTHER]]],
    [1, () => ['text', 'aws:RequestedRegion', ['eu-west-1', 'us-east-1']]],
    [3, () => ['arn', one(['aws:PrincipalArn', 'aws:PrincipalArn', 'aws:SourceArn'])]],
    [3, () => ['address', one(['aws:SourceIp', 'aws:VpcSourceIp'])]],
    [2, () => ['number', 'aws:MultiFactorAuthAge']],
    [2, () => ['date', one(['aws:CurrentTime', 'aws:EpochTime'])]],
    [2, () => ['bool', one(['aws:SecureTransport', 'aws:ViaAWSService', 'aws:PrincipalIsAWSService'])]],
    [1, () => ['bytes', 'example:Digest']],
  ])()
}

function condition(keys) {
  const [family, key, pool] = asked(keys)
  const spelt = chance(0.1) ? key.toLowerCase() : key
  if (chance(0.1)) return ['Null', spelt, one(['true', 'false', true, false, 'True'])]
  let [operator, value] = families[family](keys, key, pool)
  const isSet = key in SETS
  if (isSet ? chance(0.93) : chance(0.05)) operator = one(['ForAllValues:', 'ForAnyValue:']) + operator
  if (chance(0.15)) operator += 'IfExists'
  const values = weighted([[6, () => value()], [4, () => [value(), value()]], [1, () => some(3, value)]])()
  return [operator, spelt, values]
}

function conditions(keys, most) {
  const all = {}
  for (const [operator, key, values] of some(most, () => condition(keys))) {
    all[operator] ??= {}
    all[operator][key] = values
  }
  return all
}

// Statements near the request.

function nearAction(action) {
  return weighted([
    [4, () => `dynamodb:${action}`],
    [3, () => 'dynamodb:*'],
    [2, () => '*'],
    [3, () => `dynamodb:${wild(action)}`],
    [1, () => `DynamoDB:${action.toLowerCase()}`],
    [3, () => `dynamodb:${one(OF_ITEMS)}`],
    [1, () => one(['s3:*', 'dynamodb:Describe*', 'dynamodb:List*', 'dynamodb:FutureAction'])],
    [0.3, () => one(['*:*', 'dynamo*:GetItem', `dynamodb?:${action}`])],
  ])()
}

function nearResource(resource) {
  if (resource === '*') return one(['*', '*', 'arn:aws:dynamodb:*:*:*', 'arn:aws:dynamodb:*:*:table/*', 'arn:aws:dynamodb:*'])
  const parts = resource.split(':')
  const last = parts.slice(5).join(':')
  const at = one([1, 2, 3, 4])
  const name = last.slice('table/'.length)
  return weighted([
    [5, () => resource],
    [4, () => '*'],
    [2, () => [...parts.slice(0, 5), 'table/*'].join(':')],
    [2, () => [...parts.slice(0, 5), `table/${wild(name)}`].join(':')],
    [2, () => [...parts.with(at, wild(parts[at])).slice(0, 5), last].join(':')],
    [1, () => 'arn:aws:dynamodb:*:*:*'],
    [1, () => [...parts.slice(0, 5), `table/orders${one(['', '/*', '*', '/index/*', '-eu'])}`].join(':')],
    [1, () => [...parts.slice(0, 5), `table/${variable()}`].join(':')],
    [1, () => [...parts.slice(0, 5), `table/${escaped(wild(name))}`].join(':')],
    [0.5, () => parts.slice(0, one([3, 4, 5])).join(':') + one([':*', '*', ''])],
    [0.5, () => [...parts.slice(0, 5), one(['*', 't*', 'tab*/orders', 'table*', '*/orders'])].join(':')],
    [0.5, () => one(['arn:aws:s3:::orders', 'arn:aws-cn:dynamodb:*:*:*'])],
  ])()
}

const listOr = (make) => (chance(0.7) ? make() : [make(), make()])

function nearPrincipal(who) {
  const own = who.account || OURS
  if (who.kind === 'service' && chance(0.5)) return { Service: who.arn }
  const listed = () => weighted([
    [4, who.session ?? who.arn],
    [4, who.kind === 'service' ? `arn:aws:iam::${OURS}:role/app` : who.arn],
    [2, own],
    [2, `arn:aws:iam::${own}:root`],
    [1, `arn:aws:iam::${own}:role/other`],
    [1, `arn:aws:sts::${own}:assumed-role/app/run-2`],
    [1, OTHER],
    [1, 'AROAEXAMPLEEXAMPLE09'],
  ])
  return weighted([
    [3, () => '*'],
    [1, () => ({ AWS: '*' })],
    [8, () => ({ AWS: listOr(() => (who.kind === 'service' ? OURS : listed())) })],
    [1, () => ({ AWS: [own, who.kind === 'service' ? OTHER : who.arn] })],
    [1, () => ({ Service: one(['replication.dynamodb.amazonaws.com', 'dax.amazonaws.com']) })],
    [0.3, () => ({ Federated: 'cognito-identity.amazonaws.com' })],
  ])()
}

/** A statement; `whom`: who its `Principal` may be, where it has one. */
function statement(ask, effect, kind) {
  const made = { Effect: effect }
  if (kind === 'rcp' || kind === 'endpoint') made.Principal = '*'
  if (kind === 'endpoint' && chance(0.15)) made.Principal = nearPrincipal(ask.who)
  if (kind === 'table') {
    const negated = chance(effect === 'Deny' ? 0.3 : 0.02)
    const principal = nearPrincipal(ask.who)
    made[negated ? 'NotPrincipal' : 'Principal'] = principal
  }
  const actions = listOr(() => nearAction(ask.what.action))
  // A resource control policy names its actions.
  made[chance(0.08) && kind !== 'rcp' ? 'NotAction' : 'Action'] = actions
  const resources = listOr(() => nearResource(ask.what.resource))
  made[chance(0.08) ? 'NotResource' : 'Resource'] = resources
  const held = conditions(ask.keys, effect === 'Deny' ? 3 : 1)
  if (Object.keys(held).length > 0 || chance(0.05)) made.Condition = held
  return made
}

const allowAll = (kind) =>
  ({ Effect: 'Allow', ...(kind === 'endpoint' || kind === 'table' ? { Principal: '*' } : {}), Action: '*', Resource: '*' })

function document(ask, kind, effects) {
  const made = effects.map((effect) => (effect === 'all' ? allowAll(kind) : statement(ask, effect, kind)))
  const version = weighted([[8, { Version: '2012-10-17' }], [1, { Version: '2008-10-17' }], [1, {}]])
  return { ...version, Statement: made.length === 1 && chance(0.5) ? made[0] : made }
}

let named = 0
const policy = (ask, kind, effects) => ({ name: `${kind}-${named++}`, document: document(ask, kind, effects) })

/** What a policy of the caller's own, or a level, is made of. */
const grants = () => weighted([
  [4, ['all']], [4, ['Allow', 'Allow']], [3, ['Allow']], [3, ['all', 'Deny']], [2, ['Allow', 'Allow', 'Deny']], [0.5, ['Deny']],
])

function levels(ask, kind, most, effects) {
  const level = () => weighted([
    [12, () => [policy(ask, kind, effects())]],
    [3, () => [policy(ask, kind, effects()), policy(ask, kind, effects())]],
    [0.3, () => []],
  ])()
  return some(most, level)
}

function principal(ask) {
  const { who } = ask
  const entry = { arn: who.arn }
  if (who.session) entry.session_arn = who.session
  if (chance(0.85)) entry.identity = some(2, () => policy(ask, 'identity', grants()))
  if (chance(0.25)) entry.boundary = policy(ask, 'boundary', grants())
  if (who.session && chance(0.25)) entry.session = chance(0.05) ? [] : [policy(ask, 'session', grants())]
  return entry
}

function bundle() {
  named = 0
  const who = caller()
  const owner = chance(0.85) && who.account ? who.account : account()
  const table = `arn:aws:dynamodb:${one(['eu-west-1', 'us-east-1'])}:${owner}:table/${one(['orders', 'orders-eu', 'red'])}`
  const what = target(table)
  const ask = { who, what, keys: context(who, what) }
  // A stream has a policy of its own; an index has its table's.
  const guarded = what.resource.includes('/stream/') ? what.resource : table
  const effects = () => weighted([[4, ['Allow']], [3, ['Allow', 'Deny']], [2, ['Deny']], [1, ['all', 'Deny']], [1, ['Allow', 'Allow']]])
  const held = chance(who.account === owner ? 0.5 : 0.95) ? { policy: policy(ask, 'table', effects()) } : {}
  const denies = () => weighted([[3, ['Deny']], [1, ['Deny', 'Deny']]])
  const levelled = () => weighted([[5, ['all']], [3, ['all', 'Deny']], [2, ['Allow', 'Allow']], [1, ['Allow', 'Deny']]])
  return {
    perimeter: PERIMETER,
    principals: [principal(ask)],
    scps: chance(0.5) ? levels(ask, 'scp', 3, levelled) : [],
    rcps: chance(0.3) ? levels(ask, 'rcp', 2, denies) : [],
    tables: [{ arn: guarded, ...held }],
    endpoints: [{ id: 'vpce-0a1', ...(chance(0.5) ? { policy: policy(ask, 'endpoint', levelled()) } : {}) }],
    request: { action: `dynamodb:${what.action}`, resource: what.resource, principal: who.arn, context: ask.keys },
  }
}

const [count, seed] = process.argv.slice(2).map(Number)
draw = random(seed)
let lines = []
for (let n = 0; n < count; n++) {
  lines.push(JSON.stringify(bundle()))
  if (lines.length === 500 || n === count - 1) {
    const drained = process.stdout.write(lines.join('\n') + '\n')
    lines = []
    if (!drained) await new Promise((resolve) => process.stdout.once('drain', resolve))
  }
}
