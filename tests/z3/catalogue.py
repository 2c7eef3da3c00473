"""The DynamoDB actions, on what they act, and which of their own condition keys they carry.

Part of the independent model (model.py): taken from AWS's service authorization reference, not from the catalogue of
the prover.
"""

WILD, TABLE, INDEX, STREAM, BACKUP, EXPORT, IMPORT, GLOBAL = (
    "wild", "table", "index", "stream", "backup", "export", "import", "global")
KINDS = (WILD, TABLE, INDEX, STREAM, BACKUP, EXPORT, IMPORT, GLOBAL)
OF_A_TABLE = (TABLE, INDEX, STREAM, BACKUP, EXPORT)
FUTURE = "FutureAction"

_BY_KINDS = {
    (WILD,): "DescribeReservedCapacity DescribeReservedCapacityOfferings PurchaseReservedCapacityOfferings "
             "DescribeEndpoints DescribeLimits GetAbacStatus UpdateAbacStatus InjectError ListBackups "
             "ListContributorInsights ListGlobalTables ListStreams ListTables",
    (WILD, TABLE): "ListExports ListImports",
    (TABLE, INDEX): "Query Scan PartiQLSelect DescribeContributorInsights UpdateContributorInsights SearchVectors",
    (STREAM,): "DescribeStream GetRecords GetShardIterator",
    (STREAM, TABLE): "GetResourcePolicy PutResourcePolicy DeleteResourcePolicy TagResource UntagResource "
                     "ListTagsOfResource",
    (BACKUP,): "DeleteBackup DescribeBackup",
    (BACKUP, TABLE): "RestoreTableFromBackup",
    (EXPORT,): "DescribeExport",
    (IMPORT,): "DescribeImport",
    (GLOBAL,): "DescribeGlobalTable DescribeGlobalTableSettings",
    (GLOBAL, TABLE): "CreateGlobalTable UpdateGlobalTable UpdateGlobalTableSettings UpdateGlobalTableVersion",
    (TABLE,): "AssociateTableReplica BatchGetItem BatchWriteItem ConditionCheckItem CreateBackup "
              "CreateGlobalTableWitness CreateTable CreateTableReplica DeleteGlobalTableWitness DeleteItem DeleteTable "
              "DeleteTableReplica DescribeContinuousBackups DescribeKinesisStreamingDestination DescribeTable "
              "DescribeTableReplicaAutoScaling DescribeTimeToLive DisableKinesisStreamingDestination "
              "EnableKinesisStreamingDestination ExportTableToPointInTime GetItem ImportTable PartiQLDelete "
              "PartiQLInsert PartiQLUpdate PutItem ReadDataForReplication ReplicateSettings RestoreTableFromAwsBackup "
              "RestoreTableToPointInTime StartAwsBackupJob UpdateContinuousBackups UpdateItem "
              "UpdateKinesisStreamingDestination UpdateTable UpdateTableReplicaAutoScaling UpdateTimeToLive "
              "WriteDataForReplication",
    KINDS: FUTURE,
}
ACTIONS = {action: kinds for kinds, names in _BY_KINDS.items() for action in names.split()}

# Resource policies are not consulted for these, and let strangers in for the second list alone.
WITHOUT_RESOURCE_POLICY = set(
    "CreateTable CreateGlobalTable UpdateGlobalTable UpdateGlobalTableSettings UpdateGlobalTableVersion "
    "DescribeGlobalTable DescribeGlobalTableSettings DescribeBackup DeleteBackup RestoreTableFromBackup DescribeExport "
    "ListExports DescribeImport ListImports ImportTable ListTables ListBackups ListStreams ListContributorInsights "
    "DescribeLimits DescribeEndpoints".split())
ACROSS_ACCOUNTS = set(
    "GetItem PutItem UpdateItem DeleteItem Query Scan BatchGetItem BatchWriteItem ConditionCheckItem DeleteTable "
    "DescribeTable UpdateTable TagResource UntagResource ListTagsOfResource DescribeStream GetRecords "
    "GetShardIterator".split())

_PARTIQL = "PartiQLDelete PartiQLInsert PartiQLSelect PartiQLUpdate"
_ITEM = "GetItem PutItem UpdateItem DeleteItem ConditionCheckItem"
KEYS = {key: set(actions.split()) for key, actions in {
    "dynamodb:leadingkeys": f"{_ITEM} {_PARTIQL} BatchGetItem BatchWriteItem Query",
    "dynamodb:attributes": f"{_ITEM} {_PARTIQL} BatchGetItem BatchWriteItem Query Scan",
    "dynamodb:select": "GetItem BatchGetItem Query Scan PartiQLSelect",
    "dynamodb:enclosingoperation": f"{_ITEM} {_PARTIQL}",
    "dynamodb:fulltablescan": "PartiQLSelect",
    "aws:tagkeys": "CreateTable TagResource UntagResource",
}.items()}
MULTIVALUED = {"dynamodb:leadingkeys", "dynamodb:attributes", "aws:tagkeys", "aws:calledvia"}
