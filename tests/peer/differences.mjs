// The differences that are explained, in a form that the comparison uses. What explains each stands in
// differences.md, under the same name.
//
// A class is no more than a rewriting: it finds its construct in a bundle, says what the documentation has it mean
// in words that the peer reads as we do, and changes nothing else. A difference is explained where the peer, asked
// again about the rewritten bundle, decides as we did about the first (or as one of what we leave open). So a class hides nothing but itself: a
// bundle that merely holds the construct, and differs for another reason, still differs.

const list = (value) => (Array.isArray(value) ? value : value === undefined ? [] : [value])

/** Every policy of a bundle, with where it stands. */
function* policies(bundle) {
  for (const entry of bundle.principals) {
    for (const policy of entry.identity ?? []) yield ['identity', policy]
    if (entry.boundary) yield ['boundary', entry.boundary]
    for (const policy of entry.session ?? []) yield ['session', policy]
  }
  for (const policy of bundle.scps.flat()) yield ['scp', policy]
  for (const policy of bundle.rcps.flat()) yield ['rcp', policy]
  for (const table of bundle.tables) if (table.policy) yield ['table', table.policy]
  for (const endpoint of bundle.endpoints) if (endpoint.policy) yield ['endpoint', endpoint.policy]
}

function* statements(bundle) {
  for (const [place, { document }] of policies(bundle)) {
    for (const statement of list(document.Statement)) yield { place, statement, document }
  }
}

/** Every condition: its operator without prefix and suffix, its key, its values as a list. */
function* conditions(bundle) {
  for (const { statement, document, place } of statements(bundle)) {
    for (const [operator, keys] of Object.entries(statement.Condition ?? {})) {
      const base = operator.replace(/^For(All|Any)Values?:/, '').replace(/IfExists$/, '')
      for (const key of Object.keys(keys)) {
        yield { statement, document, place, operator, base, keys, key, values: list(keys[key]) }
      }
    }
  }
}

const isNew = (document) => document.Version === '2012-10-17'

/** What the request's key holds, whatever the spelling of its name. */
function held(bundle, key) {
  const name = Object.keys(bundle.request.context).find((known) => known.toLowerCase() === key.toLowerCase())
  return name === undefined ? undefined : bundle.request.context[name]
}

/** Rewrites each value of the conditions that `asked` picks; a value may become several. */
function eachValue(bundle, asked, rewrite) {
  let changed = false
  for (const condition of conditions(bundle)) {
    if (!asked(condition)) continue
    const values = condition.values.flatMap((value) => rewrite(String(value), condition))
    if (values.join('\n') === condition.values.join('\n')) continue
    condition.keys[condition.key] = values
    changed = true
  }
  return changed
}

/** Rewrites each text of `Resource` and `NotResource`. */
function eachResource(bundle, rewrite) {
  let changed = false
  for (const { statement, document, place } of statements(bundle)) {
    for (const element of ['Resource', 'NotResource'].filter((name) => name in statement)) {
      const texts = list(statement[element])
      const rewritten = texts.map((text) => rewrite(text, document, place))
      if (rewritten.join('\n') === texts.join('\n')) continue
      statement[element] = rewritten
      changed = true
    }
  }
  return changed
}

const takesVariables = ({ base }) => base.startsWith('String') || base.startsWith('Arn')

/** Each variable of a text, by what `put` makes of its key and default; `undefined` leaves it. */
const eachVariable = (text, put) =>
  text.replace(/\$\{([^},*?$]+?)(?:, ?'([^']*)')?\}/g, (whole, key, other) => put(key.trim(), other) ?? whole)

/** Rewrites the variables wherever there may be some. */
function everyVariable(bundle, put) {
  const inText = (text, document) => (isNew(document) ? eachVariable(text, put) : text)
  const values = eachValue(bundle, takesVariables, (value, { document }) => inText(value, document))
  return eachResource(bundle, inText) || values
}

const isEpoch = (value) => /^\d+$/.test(value)
const moment = (seconds) => new Date(1000 * Number(seconds)).toISOString()

export const classes = {
  'every-address': (bundle) =>
    eachValue(bundle, ({ base }) => base.endsWith('IpAddress'), (value) =>
      value === '0.0.0.0/0' ? ['0.0.0.0/1', '128.0.0.0/1'] : value),

  'bare-address': (bundle) =>
    eachValue(bundle, ({ base }) => base.endsWith('IpAddress'), (value) =>
      value.includes('/') ? value : value + (value.includes(':') ? '/128' : '/32')),

  // No request here has a `${` in a value, so any other text that none has will do.
  'variables-of-2008': (bundle) => {
    const literal = (text, document) => (isNew(document) ? text : text.replace(/\$\{[^}]*\}?/g, '@literal@'))
    const values = eachValue(bundle, takesVariables, (value, { document }) => literal(value, document))
    return eachResource(bundle, literal) || values
  },

  'escape-without-wildcards': (bundle) =>
    eachValue(bundle, ({ base, document }) => isNew(document) && base.includes('Equals') && base.startsWith('String'),
      (value) => value.replace(/\$\{([*?$])\}/g, '$1')),

  'empty-variable': (bundle) => everyVariable(bundle, (key) => (held(bundle, key) === '' ? '' : undefined)),

  // The peer ends a default at the first brace or comma.
  'default-with-brace-or-comma': (bundle) =>
    everyVariable(bundle, (key, other) => {
      if (other === undefined || !/[},]/.test(other)) return undefined
      return held(bundle, key) === undefined ? other : '${' + key + '}'
    }),

  'variable-before-the-resource': (bundle) => {
    const put = (text) => {
      if (!text.startsWith('arn:')) return text
      const before = /^(?:(?:\$\{[^}]*\}|[^:$])*:){0,4}(?:\$\{[^}]*\}|[^:$])*/.exec(text)[0]
      const filled = eachVariable(before, (key) => (typeof held(bundle, key) === 'string' ? held(bundle, key) : undefined))
      return filled + text.slice(before.length)
    }
    const inText = (text, document) => (isNew(document) ? put(text) : text)
    const values = eachValue(bundle, ({ base }) => base.startsWith('Arn'), (value, { document }) => inText(value, document))
    return eachResource(bundle, inText) || values
  },

  'short-arn': (bundle) =>
    eachResource(bundle, (text) => {
      const parts = text.split(':')
      return text.startsWith('arn:') && text.endsWith('*') && parts.length < 6
        ? [...parts, '*', '*', '*', '*'].slice(0, 6).join(':')
        : text
    }),

  // The peer takes what stands before the first slash letter by letter. There is no table of whose name the end is
  // another's, so the slash may be any character.
  'wildcard-in-the-type': (bundle) =>
    eachResource(bundle, (text) => {
      const parts = text.split(':')
      const last = parts.slice(5).join(':')
      const type = last.split('/')[0]
      if (!last.includes('/') || !/[*?]/.test(type)) return text
      return [...parts.slice(0, 5), last.replace('/', '?')].join(':')
    }),

  'epoch-beside-iso': (bundle) => {
    let changed = eachValue(bundle, ({ base }) => base.startsWith('Date'), (value) => (isEpoch(value) ? moment(value) : value))
    for (const { base, key } of conditions(bundle)) {
      if (!base.startsWith('Date') || !isEpoch(held(bundle, key) ?? '')) continue
      const name = Object.keys(bundle.request.context).find((known) => known.toLowerCase() === key.toLowerCase())
      bundle.request.context[name] = moment(held(bundle, key))
      changed = true
    }
    return changed
  },

  'number-and-more': (bundle) =>
    eachValue(bundle, ({ base }) => base.startsWith('Numeric'), (value) =>
      /^-?\d+(\.\d+)?$/.test(value) ? value : 'none'),

  'empty-text-is-no-value': (bundle) => {
    let changed = false
    for (const { operator, keys, key } of conditions(bundle)) {
      const values = held(bundle, key)
      if (!operator.startsWith('ForAllValues:') || values === undefined || list(values).length === 0) continue
      if (list(values).some((value) => value !== '')) continue
      delete keys[key]
      changed = true
    }
    return changed
  },

  'granted-to-the-session-itself': (bundle) => {
    const [entry] = bundle.principals
    const isOwn = bundle.request.context['aws:PrincipalAccount'] === bundle.request.context['aws:ResourceAccount']
    if (!isOwn || entry.session === undefined || entry.session_arn === undefined) return false
    const grants = [...statements(bundle)].some(({ place, statement }) =>
      place === 'table' && statement.Effect === 'Allow' && list(statement.Principal?.AWS).includes(entry.session_arn))
    if (!grants) return false
    const limits = entry.session[0]?.document ?? { Version: '2012-10-17', Statement: [] }
    const all = { Effect: 'Allow', Action: '*', Resource: '*' }
    entry.session = [{ name: 'session', document: { ...limits, Statement: [...list(limits.Statement), all] } }]
    return true
  },

  'principal-of-an-endpoint': (bundle) => {
    const [entry] = bundle.principals
    const isService = !entry.arn.startsWith('arn:')
    const own = isService ? [] : [entry.arn.split(':')[4], `arn:aws:iam::${entry.arn.split(':')[4]}:root`]
    const names = ['*', entry.arn, entry.session_arn, ...own]
    const speaks = ({ Principal }) =>
      Principal === '*' || list(Principal.AWS).some((name) => names.includes(name)) ||
      list(Principal.Service).includes(entry.arn)
    let changed = false
    for (const { policy } of bundle.endpoints.filter((endpoint) => endpoint.policy)) {
      const all = list(policy.document.Statement)
      policy.document.Statement = all.filter(speaks)
      changed ||= policy.document.Statement.length < all.length
    }
    return changed
  },

  // `NotPrincipal` with an account and another of its principals: to the peer the account spares all of them.
  'account-beside-another-principal': (bundle) => {
    const [entry] = bundle.principals
    const own = entry.arn.split(':')[4]
    if (own === undefined || entry.arn.endsWith(':root')) return false
    const isAccount = (name) => name === own || name === `arn:aws:iam::${own}:root`
    let changed = false
    for (const { statement } of statements(bundle)) {
      const listed = list(statement.NotPrincipal?.AWS)
      const others = listed.filter((name) => !isAccount(name) && name.split(':')[4] === own)
      if (others.length === 0 || others.includes(entry.arn) || others.includes(entry.session_arn)) continue
      changed ||= listed.some(isAccount)
      statement.NotPrincipal.AWS = listed.filter((name) => !isAccount(name))
    }
    return changed
  },

  'partiql-across-accounts': (bundle) => {
    const { action, context } = bundle.request
    if (!action.includes(':PartiQL') || context['aws:PrincipalAccount'] === context['aws:ResourceAccount']) return false
    if (bundle.principals[0].arn.endsWith('.amazonaws.com')) return false
    return withoutPolicy(bundle, ({ Effect }) => Effect === 'Allow')
  },

  'table-policy-not-asked': (bundle) =>
    /:(CreateTable|DeleteBackup|ListTables|DescribeLimits)$/.test(bundle.request.action) && withoutPolicy(bundle, () => true),
}

/** Takes statements from the tables' policies. */
function withoutPolicy(bundle, taken) {
  let changed = false
  for (const { policy } of bundle.tables.filter((table) => table.policy)) {
    const all = list(policy.document.Statement)
    policy.document.Statement = all.filter((statement) => !taken(statement))
    changed ||= policy.document.Statement.length < all.length
  }
  return changed
}
