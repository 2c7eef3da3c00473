//! Names of services that are spelt nearly, and not quite, as one of AWS's.
//!
//! A misspelt name matches no call, so what it should let in is outside. New services must work, so a
//! name that is like none of these goes through.

use super::super::diagnostic::{nearest, quote};
use super::super::value::Complaint;

/// Services that are known to reach DynamoDB with a customer's role, by what stands before
/// `.amazonaws.com`. The list need not be whole: only what is near one of them is asked about.
///
/// Source: service authorization reference and the services' own guides, where they name DynamoDB
/// permissions of an execution or service role.
const KNOWN: [&str; 24] = [
    "apigateway",
    "application-autoscaling",
    "appsync",
    "athena",
    "backup",
    "bedrock",
    "cloudformation",
    "codebuild",
    "dynamodb",
    "ecs-tasks",
    "elasticmapreduce",
    "events",
    "firehose",
    "glue",
    "kinesis",
    "lakeformation",
    "lambda",
    "pipes",
    "redshift",
    "replication.dynamodb",
    "sagemaker",
    "scheduler",
    "states",
    "transfer",
];

/// A service's name that is near a known one.
pub(crate) fn misspelt(name: &str) -> Option<Complaint> {
    let (host, suffix) = name.split_once(".amazonaws.")?;
    // Of so short a name half would have to be right by chance.
    if KNOWN.contains(&host) || host.len() < 4 {
        return None;
    }
    let (meant, near) = nearest(host, KNOWN)?;
    near.then(|| {
        Complaint::new(format!("{} is near to a service's name, and is not it", quote(name)))
            .help(format!("did you mean \"{meant}.amazonaws.{suffix}\"?"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_a_known_name_is_asked_about() {
        for (name, meant) in [
            ("lamda.amazonaws.com", "\"lambda.amazonaws.com\""),
            ("lambdas.amazonaws.com", "\"lambda.amazonaws.com\""),
            ("api-gateway.amazonaws.com", "\"apigateway.amazonaws.com\""),
            ("state.amazonaws.com.cn", "\"states.amazonaws.com.cn\""),
            ("fire-hose.amazonaws.com", "\"firehose.amazonaws.com\""),
        ] {
            let help = misspelt(name).and_then(|complaint| complaint.help).unwrap_or_default();
            assert!(help.contains(meant), "{name}: {help}");
        }
    }

    #[test]
    fn names_of_services_go_through() {
        for host in KNOWN.into_iter().chain([
            "appflow",
            "application-signals",
            "applicationinsights",
            "autoscaling",
            "elasticache",
            "elasticbeanstalk",
            "elasticloadbalancing",
            "codedeploy",
            "codepipeline",
            "codecommit",
            "dynamodbaccelerator",
            "batch",
            "config",
            "dax",
            "dms",
            "ec2",
            "ecs",
            "eks",
            "iot",
            "kafka",
            "logs",
            "mwaa",
            "pinpoint",
            "quicksight",
            "rds",
            "s3",
            "ses",
            "signin",
            "sns",
            "sqs",
            "ssm",
            "sso",
            "vpc-lattice",
            "quux",
        ]) {
            assert_eq!(misspelt(&format!("{host}.amazonaws.com")), None, "{host}");
        }
    }
}
