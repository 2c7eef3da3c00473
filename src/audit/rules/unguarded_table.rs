//! A table that comes into being without a resource policy.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "unguarded-table",
    severity: Severity::High,
    subject: Subject::Change,
    title: "New table without a resource policy",
    what: "A table that comes into being by a restore or an import, and so without a resource \
        policy of its own: `RestoreTableFromBackup`, `RestoreTableToPointInTime` and \
        `ImportTable` take none, whatever the table had that the items came from. A table made \
        empty, by `CreateTable` without a policy, is not told of by this version.\n\n\
        Cannot see: whether an SCP or RCP guards the new table as well; a policy that the same \
        pipeline puts on it a moment later, which is an event of its own.",
    why: "The items are the old ones and the guard is not there: to restore a table beside its \
        original is a way to read it that its policy never hears of. Whoever is kept out of \
        the table by its policy, and may restore it, reads the copy. In an honest recovery the \
        mistake is to switch the application over and to forget the policy, which shows in \
        nothing that the application does.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "RestoreTableToPointInTime",
  "awsRegion": "eu-west-1",
  "requestParameters": {
    "sourceTableName": "orders",
    "targetTableName": "orders-restored",
    "useLatestRestorableTime": true
  },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Put the policy of the original on the new table before anything reads from it:\n\n\
        \x20   aws dynamodb put-resource-policy --policy file://table-policy.json \\\n\
        \x20       --resource-arn arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE\n\n\
        If nobody ordered the restore, delete the table and look into who did it and what was \
        read.\n\n\
        Deny the three calls to all but the recovery role, and guard tables by an RCP too, \
        which covers a table from its first moment.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 CM-2",
        "NIST.800-53.r5 CM-6",
        "PCI.DSS.v4.0 2.2.1",
        "SOC2 CC6.1",
        "ISO.27001:2022 A.8.9",
    ],
};
