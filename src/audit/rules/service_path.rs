//! Item access by an ordinary role through an AWS service.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "service-path",
    severity: Severity::High,
    subject: Subject::Call,
    title: "Item access through an AWS service",
    what: "Items read or written by an ordinary role through an AWS service: the record gives \
        the service, or `AWS Internal`, as its source, as with Step Functions, API Gateway and AppSync integrations, Glue jobs, EventBridge Pipes, \
        Lambda event source mappings, DAX clusters and restores by AWS Backup; and no \
        `[[service]]` entry lists the role with that service. Management calls made by a \
        service are not meant.\n\n\
        Cannot see: who stood behind the service: through an API Gateway integration it may be \
        any visitor of the API; whether the service forwarded somebody's credentials or used a \
        service role, which `invokedBy` does not tell apart; what a DAX cluster served from \
        its cache.",
    why: "The service calls from AWS's own network, so `aws:SourceVpc` is absent and the \
        perimeter either breaks the service or has been opened for it. An API Gateway \
        integration is a data path from the internet to the table with no code of yours in a \
        VPC; a state machine or a Glue job does what its author wrote. Whoever may pass such a \
        role (`iam:PassRole`) to a service of their choice owns the data behind it. To excuse \
        `aws:ViaAWSService` in a policy does not help either: for a service role it is false.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "PutItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "states.amazonaws.com",
  "userAgent": "states.amazonaws.com",
  "userIdentity": {
    "type": "AssumedRole",
    "invokedBy": "states.amazonaws.com",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/orders-integration" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "See which services may use the role:\n\n\
        \x20   aws iam get-role --role-name ROLE --query Role.AssumeRolePolicyDocument\n\n\
        If the path is meant, list it: a `[[service]]` entry with the role, the service and \
        the reason. If it is not, move the call into a function inside an approved VPC, take \
        the DynamoDB actions from the role, and limit who may pass it with \
        `iam:PassedToService`.\n\n\
        Exempt a listed role in the SCP by `aws:PrincipalArn`, role by role, and not by \
        service.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 AC-6",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 7.2.5",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.3",
    ],
};
