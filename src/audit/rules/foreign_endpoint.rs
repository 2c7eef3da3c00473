//! A call through an endpoint of an account that owns no approved VPC.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "foreign-endpoint",
    severity: Severity::Critical,
    subject: Subject::Call,
    title: "Access through a stranger's VPC endpoint",
    what: "An authorised call through a VPC endpoint that is in no inventory, and whose \
        recorded owner (`vpcEndpointAccountId`) owns no approved VPC. The call came out of a \
        network that you do not run.\n\n\
        Cannot see: the VPC behind such an endpoint, or who runs it; a record that names no \
        owner, as those older than version 1.09 do not: that is `unknown-endpoint`.",
    why: "A thief with your keys need not come over the internet. From a VPC of their own, \
        through their own gateway endpoint, the call shows a private address that looks like \
        one of yours. A policy that asks only whether some endpoint was used (`Null` on \
        `aws:SourceVpce`), or that trusts private ranges in `aws:VpcSourceIp` without naming \
        the VPC, lets it pass. The innocent case is an account of your own that nobody has \
        listed.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "Query",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "10.0.7.9",
  "vpcEndpointId": "vpce-0bad0bad0bad00001",
  "vpcEndpointAccountId": "555566667777",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/app/checkout" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Find out whether the endpoint's account is one of yours:\n\n\
        \x20   aws organizations describe-account --account-id ACCOUNT\n\n\
        If it is, list it in an environment of perimeter.toml, and approve its VPC or move the \
        workload behind an approved endpoint. If it is not, treat the principal's credentials \
        as stolen: deactivate its keys, revoke its sessions, and read what else it did since \
        the first such call.\n\n\
        In policies compare `aws:SourceVpc` or `aws:SourceVpce` with a list of ids and never \
        with mere presence; `aws:VpcSourceIp` counts only beside one of them.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 AC-20",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.4.4",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.12",
    ],
};
