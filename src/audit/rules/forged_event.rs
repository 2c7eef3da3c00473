//! An event that CloudTrail did not send.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "forged-event",
    severity: Severity::High,
    subject: Subject::Call,
    title: "Event not sent by CloudTrail",
    what: "An event that came as though from CloudTrail and did not: an EventBridge envelope \
        whose `source` does not begin with `aws.`, or whose account is not the one that the \
        record inside was written for. What such an event says is evidence of nothing but the \
        forgery.\n\n\
        Cannot see: a forgery with a faultless envelope, handed to the queue or to the \
        function directly: nothing in an event is signed. Only the trail's log files in S3 \
        are, and `aws cloudtrail validate-logs` checks them.",
    why: "Whoever holds `events:PutEvents` may send an event whose detail type is `AWS API \
        Call via CloudTrail`; AWS refuses only sources that begin with `aws.`, so a rule that \
        does not ask for `source` lets it in. A forger can bury a true finding under a \
        thousand false ones, or teach the inventory with a forged `CreateVpcEndpoint` that an \
        intruder's endpoint lies in an approved VPC.",
    example: r#"{
  "detail-type": "AWS API Call via CloudTrail",
  "source": "example.integration",
  "account": "111122223333",
  "region": "eu-west-1",
  "detail": {
    "eventSource": "ec2.amazonaws.com",
    "eventName": "CreateVpcEndpoint",
    "awsRegion": "eu-west-1",
    "recipientAccountId": "111122223333",
    "responseElements": {
      "CreateVpcEndpointResponse": {
        "vpcEndpoint": {
          "vpcEndpointId": "vpce-0bad0bad0bad00001",
          "vpcId": "vpc-0a1b2c3d4e5f6e001"
        }
      }
    }
  }
}"#,
    remedy: "Let the rule ask for the source, and in a central bus for the sending accounts \
        too:\n\n\
        \x20   aws events put-rule --name RULE --event-pattern \\\n\
        \x20       '{\"source\":[\"aws.dynamodb\"],\"detail-type\":[\"AWS API Call via \
        CloudTrail\"]}'\n\n\
        Let only that rule write to the queue (`aws:SourceArn` in the queue's policy), and \
        nobody but the queue invoke the function. Find who sent the event and what else they \
        may do.\n\n\
        Scan the trail's log files for the same hours, verified, and go by that result.",
    controls: &[
        "NIST.800-53.r5 AU-9",
        "NIST.800-53.r5 AU-10",
        "NIST.800-53.r5 SI-7",
        "PCI.DSS.v4.0 10.3.2",
        "SOC2 CC7.2",
        "ISO.27001:2022 A.8.15",
    ],
};
