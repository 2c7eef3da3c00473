// The other evaluator, `@cloud-copilot/iam-simulate`, as a program of its own: reads bundles with a `request`
// from standard input, one a line, and writes `allow`, `explicit_deny`, `implicit_deny`, or `error` and why.
//
//     node peer.mjs FOLDER        FOLDER has the package in its node_modules
//
// Its engine is asked, not its public function: that one also checks policies, and drops keys that AWS does not
// list for an action. What the engine cannot know of a bundle is told to it here, by the documentation:
//
// - which control policies bind whom: no service control policy binds a service, a service-linked role, or an
//   account that is not a member; no resource control policy a service-linked role, or the table of such an
//   account ("Service control policies", "Resource control policies");
// - that AWS itself attaches `RCPFullAWSAccess` to each level;
// - that root may do everything in its account, and that `identity` may be left out.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const scope = join(process.argv[2], 'node_modules', '@cloud-copilot')
const load = (...path) => import(pathToFileURL(join(scope, ...path)))
const engine = ['iam-simulate', 'dist', 'esm']
const { authorize } = await load(...engine, 'core_engine', 'CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load(...engine, 'request', 'request.js')
const { RequestContextImpl } = await load(...engine, 'requestContext.js')
const { DiscoveryContextKeyConstraints } = await load(...engine, 'context_keys', 'discoveryContextKeyConstraints.js')
const { loadPolicy } = await load('iam-policy', 'dist', 'esm', 'index.js')

const RESULTS = { Allowed: 'allow', ExplicitlyDenied: 'explicit_deny', ImplicitlyDenied: 'implicit_deny' }
const WILDCARD_ONLY = new Set(['dynamodb:ListTables', 'dynamodb:DescribeLimits'])

const loaded = (policy) => loadPolicy(policy.document, { name: policy.name })
const of = (...statements) => loaded({ name: 'attached', document: { Version: '2012-10-17', Statement: statements } })
const everything = of({ Effect: 'Allow', Action: '*', Resource: '*' })

/** Levels as the engine has them. */
const levels = (all, attached) =>
  all.map((policies, level) => ({
    orgIdentifier: `level-${level}`,
    policies: [...attached, ...policies.map(loaded)],
  }))

/** A session has one policy here, or an empty list: one without statements. */
function ofSession(entry) {
  if (entry.session === undefined) return undefined
  return entry.session.length > 0 ? loaded(entry.session[0]) : of()
}

/** A bundle as the engine's request. */
function asked(bundle) {
  const { request, perimeter } = bundle
  const [entry] = bundle.principals
  const isService = !entry.arn.startsWith('arn:')
  const isLinked = entry.arn.includes(':role/aws-service-role/')
  const isRoot = entry.arn.endsWith(':root')
  const members = Object.values(perimeter.environments).flatMap((environment) => environment.accounts)
  const own = isService ? '' : entry.arn.split(':')[4]
  const owner = request.resource.split(':')[4] || own
  const scps = isService || isLinked || !members.includes(own) ? [] : bundle.scps
  const rcps = isLinked || !members.includes(owner) ? [] : bundle.rcps
  const hasOwn = !isService && !isRoot
  const table = tableOf(bundle)
  const endpoint = bundle.endpoints.find((known) => known.id === request.context['aws:SourceVpce'])
  return {
    request: new AwsRequestImpl(
      entry.session_arn ?? entry.arn,
      { resource: request.resource, accountId: owner },
      request.action,
      new RequestContextImpl(request.context),
      WILDCARD_ONLY.has(request.action),
    ),
    sessionPolicy: hasOwn ? ofSession(entry) : undefined,
    identityPolicies: isService ? [] : isRoot || entry.identity === undefined ? [everything] : entry.identity.map(loaded),
    permissionBoundaries: hasOwn && entry.boundary ? [loaded(entry.boundary)] : undefined,
    serviceControlPolicies: levels(scps, []),
    resourceControlPolicies: levels(rcps, [everything]),
    resourcePolicy: table?.policy && loaded(table.policy),
    vpcEndpointPolicies: endpoint?.policy ? [loaded(endpoint.policy)] : undefined,
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]),
    },
  }
}

/** Whose policy stands by the resource: a table's by its indexes, a stream's by itself. */
function tableOf(bundle) {
  const { resource } = bundle.request
  const guarded = resource.replace(/\/index\/.*$/, '')
  return bundle.tables.find((table) => table.arn === guarded)
}

function decided(line) {
  try {
    return RESULTS[authorize(asked(JSON.parse(line))).result]
  } catch (error) {
    return `error ${error.message}`
  }
}

let lines = []
async function flush() {
  const drained = process.stdout.write(lines.join(''))
  lines = []
  if (!drained) await new Promise((resolve) => process.stdout.once('drain', resolve))
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  lines.push(decided(line) + '\n')
  if (lines.length === 500) await flush()
}
await flush()
