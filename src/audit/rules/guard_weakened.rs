//! A guard that says less than before, while others still hold.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "guard-weakened",
    severity: Severity::Medium,
    subject: Subject::ProvenChange,
    title: "Guard of the perimeter weakened",
    what: "A guard that is gone or refuses less than before, while the others still keep the \
        perimeter: no request from outside is newly allowed, and would be if the other kinds \
        of guards were not there. Raised only where what stood before is known (`scan \
        --snapshot`).\n\n\
        Cannot see: how likely the next change is; guards that were never in the snapshot.",
    why: "The perimeter holds, and now by one policy only. A table policy that is deleted \
        because the SCP denies the same anyway leaves nothing against principals outside the \
        organization, whom no SCP binds, as soon as somebody grants to them; and it leaves \
        nothing at all in an account that is moved from under the SCP. Such changes are how \
        two independent locks become one.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "DeleteResourcePolicy",
  "awsRegion": "eu-west-1",
  "requestParameters": {
    "resourceArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
  },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "See what the guard said and why it went; put it back unless a reviewed change \
        says otherwise:\n\n\
        \x20   aws dynamodb put-resource-policy --policy file://table-policy.json \\\n\
        \x20       --resource-arn arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE\n\n\
        If the other guard is enough, write the decision down beside the policy.\n\n\
        Try each guard by itself in an account that is there for tests, to see which of them \
        still suffices alone.",
    controls: &[
        "NIST.800-53.r5 CM-3",
        "NIST.800-53.r5 CM-4",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.2.2",
        "SOC2 CC8.1",
        "ISO.27001:2022 A.8.9",
    ],
};
