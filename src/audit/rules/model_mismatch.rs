//! A call whose outcome the known policies do not explain.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "model-mismatch",
    severity: Severity::Medium,
    subject: Subject::ReplayedCall,
    title: "Outcome contradicts the known policies",
    what: "A call that CloudTrail shows as authorised although the policies that stood when it \
        was made deny it, or as refused although they allow it: what is known of the policies, \
        or how they are evaluated, differs from what AWS did. Each kind of calls is decided \
        again by the snapshot and all changes since, for its earliest call and its latest \
        (`scan --snapshot`), and the finding says both sides: what CloudTrail shows, and the \
        statement that the policies go by. It stands beside the finding of the call itself. \
        Where the decision hangs on a key that no record tells, on a policy that nobody told, \
        or on a change that was made less than five minutes before, there is none.\n\n\
        Cannot see: which of the two is wrong: a snapshot that is behind, a policy that it \
        does not hold, a change that took longer to take effect, or a fault in the evaluator. \
        A session may have policies of its own, of which no record tells: where a role was \
        refused and the message names no other kind of policy, that may be why. Calls of \
        PartiQL, transactions that write, streams, backups and restores are not decided again.",
    why: "A proof is as good as its premises. If one call gets through that the model says \
        cannot, every `enforced` built upon that model is in doubt, the tables that nobody has \
        tried included. The usual cause is a policy changed by a way that nobody collects, \
        such as a permission set not yet in the snapshot, and then the gap in the collecting \
        is the finding.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/app/checkout" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Put the request to AWS's own simulator, with the keys that the record shows:\n\n\
        \x20   aws iam simulate-principal-policy --policy-source-arn ROLE_ARN \\\n\
        \x20       --action-names dynamodb:ACTION --resource-arns TABLE_ARN\n\n\
        Compare its answer with the record's, and report the case with its identifiers taken \
        out. Until it is explained, treat proofs about that account as unknown.",
    controls: &[
        "NIST.800-53.r5 CA-7",
        "NIST.800-53.r5 CM-4(2)",
        "PCI.DSS.v4.0 10.4.1",
        "SOC2 CC4.1",
        "ISO.27001:2022 A.8.16",
    ],
};
