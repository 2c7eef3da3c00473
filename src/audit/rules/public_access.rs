//! A call that came from a public address.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "public-access",
    severity: Severity::Critical,
    subject: Subject::Call,
    title: "Access from a public address",
    what: "An authorised call to DynamoDB from a public address, with no VPC endpoint in its \
        record: from the internet, through a NAT gateway, or from AWS compute outside every \
        VPC. The table's owner is not exempt, and no break-glass entry, trusted address or \
        listed service covers the call.\n\n\
        Cannot see: who stands behind a shared or proxied address; reads that a DAX cluster \
        answers; TTL deletes; item access on a table whose data events no trail records.",
    why: "Nothing but the credential stood between the caller and the items. An access key \
        found in a repository or a build log, or a session taken from the instance metadata \
        service, works from anywhere so long as no policy asks where the call came from. From \
        an address of your own NAT gateway the same finding is the commonest mistake: a subnet \
        without a route to the gateway endpoint, a Lambda function outside the VPC, or a \
        Streams client, which no gateway endpoint serves.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "userIdentity": {
    "type": "IAMUser",
    "arn": "arn:aws:iam::111122223333:user/deploy",
    "accountId": "111122223333"
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Establish whose address it is. If the caller is not yours, take the credential \
        away at once; for a role, deny every session issued before now (`aws:TokenIssueTime`) \
        and then close the leak:\n\n\
        \x20   aws iam update-access-key --user-name USER --access-key-id KEY_ID \\\n\
        \x20       --status Inactive\n\n\
        If it is a workload of yours, give its VPC an endpoint and its subnets the route:\n\n\
        \x20   aws ec2 create-vpc-endpoint --vpc-id VPC_ID \\\n\
        \x20       --service-name com.amazonaws.REGION.dynamodb --route-table-ids ROUTE_TABLE_ID\n\n\
        Then close the path for everybody: deny `dynamodb:*` in an SCP unless `aws:SourceVpc` \
        is an approved VPC, and the same in an RCP or the table's resource policy, which bind \
        principals outside the organization too. Scan the days that follow to see whether \
        anything is left open. An office that must come over the internet belongs in \
        `[[trusted_address]]`, with an end.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.4.4",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.20",
    ],
};
