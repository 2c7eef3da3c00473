//! A call by the root user of an account.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "root-access",
    severity: Severity::Critical,
    subject: Subject::Call,
    title: "Access by the root user",
    what: "An authorised call to DynamoDB from outside the perimeter by the root user of an \
        account (`userIdentity.type` is `Root`).\n\n\
        Cannot see: which person it was, since root is whoever holds the mail address, the \
        password or the key; what root did in other services.",
    why: "No identity policy and no permissions boundary limits root. In a member account \
        SCPs, RCPs and the table's own policy still do; in the management account neither SCPs \
        nor RCPs apply. Root may also delete a table's resource policy where that policy \
        denies it, so one stolen root password undoes the table's own guard. Nobody reads \
        items as root in the ordinary course: it is an intruder, or a root access key made \
        years ago that still sits in a script.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "Scan",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "userIdentity": {
    "type": "Root",
    "arn": "arn:aws:iam::111122223333:root",
    "accountId": "111122223333"
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Ask the account's owner at once. If nobody owns to it, change the root password, \
        delete root's access keys and unknown MFA devices, and read the trail for everything \
        that root did. This says, run in the account, whether root has keys:\n\n\
        \x20   aws iam get-account-summary --query SummaryMap.AccountAccessKeysPresent\n\n\
        In an organization, manage root centrally, and then delete the root credentials of the \
        member accounts:\n\n\
        \x20   aws iam enable-organizations-root-credentials-management\n\n\
        Keep an SCP that denies `dynamodb:*` where `aws:PrincipalArn` is like \
        `arn:aws:iam::*:root`, and hold no tables in the management account, where it would \
        not apply.",
    controls: &[
        "NIST.800-53.r5 AC-2(7)",
        "NIST.800-53.r5 AC-6(5)",
        "PCI.DSS.v4.0 8.2.2",
        "CIS.AWS.v3.0 1.7",
        "CIS.AWS.v3.0 4.3",
        "SOC2 CC6.3",
        "ISO.27001:2022 A.8.2",
    ],
};
