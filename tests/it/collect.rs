//! What stands, read from moto, a stand-in of AWS, and swept: the same as the same state from a file. Needs Python:
//! `scripts/test-more` installs it and runs these. What moto has not, Cloud Control, is answered here.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Output};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, Tag,
};
use aws_sdk_iam::config::SharedCredentialsProvider;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_organizations::types::PolicyType;
use dynamodb_perimeter::aws::collect::{Collector, PartLookup, Plan, ServiceUrls};
use dynamodb_perimeter::aws::snapshot::{ObjectUrl, SnapshotObject};
use dynamodb_perimeter::iam::state::piece::{Piece, Wanted};
use dynamodb_perimeter::iam::state::snapshot::Snapshot;
use dynamodb_perimeter::iam::state::{Holder, HolderId, HolderKind};
use dynamodb_perimeter::perimeter::config;
use dynamodb_perimeter::watch::lookup::Lookup;
use serde_json::{Value, json};

use crate::lambda::http::{self, Response};
use crate::lambda::runtime_api::{Process, RuntimeApi};
use crate::s3::Moto;

type Tested = Result<(), Box<dyn Error>>;

/// The account that moto gives to keys that it does not know.
pub const MANAGEMENT: &str = "123456789012";
pub const REGION: &str = "eu-west-1";
pub const ENDPOINT: &str = "com.amazonaws.eu-west-1.dynamodb";

fn policy(statements: Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn allow(action: &str) -> String {
    policy(json!([{ "Effect": "Allow", "Action": action, "Resource": "*" }]))
}

fn trust() -> String {
    policy(
        json!([{ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" }]),
    )
}

/// Denied from outside, to all but the role for emergencies.
fn guard(with_principal: bool) -> String {
    let mut statement = json!({ "Sid": "OnlyFromVpc", "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*",
        "Condition": { "StringNotEquals": { "aws:SourceVpc": "vpc-0prod0eu" },
            "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/your-emergency-role" } } });
    if with_principal {
        statement["Principal"] = "*".into();
    }
    policy(json!([statement]))
}

fn perimeter(accounts: &[&str]) -> String {
    format!(
        "version = 1\norganization = \"o-exampleorgid\"\nmanagement_account = \"{MANAGEMENT}\"\n\
         [environments.production]\nmode = \"enforce\"\naccounts = {accounts:?}\n\
         [[vpc]]\nid = \"vpc-0prod0eu\"\nregion = \"{REGION}\"\naccount = \"{}\"\n\
         [[break_glass]]\nprincipal = \"arn:aws:iam::*:role/your-emergency-role\"\n\
         [prove]\nsession_tags = \"none\"\n",
        accounts[0]
    )
}

/// Keys of an account. moto knows by them whose they are.
#[derive(Clone)]
pub struct Keys(pub Credentials);

impl Keys {
    pub fn management() -> Self {
        Self(Credentials::new("test", "test", None, None, "test"))
    }

    pub async fn of(url: &str, account: &str) -> Result<Self, Box<dyn Error>> {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Self::management().0)
            .region(Region::new(REGION))
            .endpoint_url(url)
            .build();
        let role = format!("arn:aws:iam::{account}:role/perimeter-audit");
        let client = aws_sdk_sts::Client::from_conf(config);
        let keys = client.assume_role().role_arn(role).role_session_name("test").send().await?;
        let keys = keys.credentials.ok_or("no keys")?;
        let token = Some(keys.session_token);
        Ok(Self(Credentials::new(keys.access_key_id, keys.secret_access_key, token, None, "test")))
    }
}

macro_rules! client {
    ($service:ident, $url:expr, $keys:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider($keys.0.clone())
                .region(Region::new(REGION))
                .endpoint_url($url)
                .build(),
        )
    };
}

/// An organization in moto, and the same in a text.
struct Organization {
    url: String,
    unit: String,
    guard: String,
    /// Two accounts of it.
    accounts: [String; 2],
    snapshot: Value,
}

impl Organization {
    async fn build(url: &str) -> Result<Self, Box<dyn Error>> {
        let client = client!(aws_sdk_organizations, url, Keys::management());
        client.create_organization().send().await?;
        let root = client.list_roots().send().await?.roots.unwrap_or_default().remove(0);
        let root = root.id.ok_or("no root")?;
        for kind in [PolicyType::ServiceControlPolicy, PolicyType::ResourceControlPolicy] {
            // One may be on already.
            let _ = client.enable_policy_type().root_id(&root).policy_type(kind).send().await;
        }
        let unit = client.create_organizational_unit().parent_id(&root).name("production").send().await?;
        let unit = unit.organizational_unit.and_then(|unit| unit.id).ok_or("no unit")?;
        let mut accounts = Vec::new();
        for name in ["orders", "carts"] {
            let made = client.create_account().account_name(name).email(format!("{name}@example.com"));
            let made = made.send().await?.create_account_status.and_then(|status| status.account_id);
            let account = made.ok_or("no account")?;
            let moved = client
                .move_account()
                .account_id(&account)
                .source_parent_id(&root)
                .destination_parent_id(&unit);
            moved.send().await?;
            accounts.push(account);
        }
        let mut ids = Vec::new();
        for (name, kind, text) in [
            ("guard", PolicyType::ServiceControlPolicy, guard(false)),
            ("lock", PolicyType::ResourceControlPolicy, guard(true)),
        ] {
            let made = client.create_policy().name(name).description(name).r#type(kind).content(text);
            let made = made.send().await?.policy.and_then(|policy| policy.policy_summary);
            let id = made.and_then(|summary| summary.id).ok_or("no policy")?;
            ids.push(id);
        }
        // AWS attaches the first to every unit that is made, and moto to none.
        for id in ids.iter().map(String::as_str).chain(["p-FullAWSAccess"]) {
            client.attach_policy().policy_id(id).target_id(&unit).send().await?;
        }
        let accounts: [String; 2] = accounts.try_into().map_err(|_| "not two")?;
        let mut own = Self {
            url: url.to_owned(),
            snapshot: written(&root, &unit, &accounts, &ids),
            guard: ids.remove(0),
            unit,
            accounts,
        };
        own.fill().await?;
        Ok(own)
    }

    /// Roles, users and tables of the accounts, each put into moto and into the text.
    async fn fill(&mut self) -> Tested {
        for account in self.accounts.clone() {
            let keys = Keys::of(&self.url, &account).await?;
            self.identities(&account, &client!(aws_sdk_iam, &self.url, keys)).await?;
            self.tables(&account, &client!(aws_sdk_dynamodb, &self.url, keys)).await?;
        }
        Ok(())
    }

    async fn identities(&mut self, account: &str, client: &aws_sdk_iam::Client) -> Tested {
        for (name, path, action) in [
            ("app", "/team/", "dynamodb:*"),
            ("idle", "/", "s3:*"),
            ("your-emergency-role", "/", "dynamodb:*"),
        ] {
            client
                .create_role()
                .role_name(name)
                .path(path)
                .assume_role_policy_document(trust())
                .send()
                .await?;
            let put = client.put_role_policy().role_name(name).policy_name("own");
            put.policy_document(allow(action)).send().await?;
        }
        client.create_user().user_name("ann").send().await?;
        client.create_group().group_name("team").send().await?;
        client.add_user_to_group().group_name("team").user_name("ann").send().await?;
        let managed = client.create_policy().policy_name("reader").policy_document(allow("dynamodb:Get*"));
        let managed = managed.send().await?.policy.and_then(|policy| policy.arn).ok_or("no policy")?;
        client.attach_group_policy().group_name("team").policy_arn(&managed).send().await?;
        let role = |name: &str, path: &str, action: &str| {
            json!({ "RoleName": name, "Arn": format!("arn:aws:iam::{account}:role{path}{name}"),
                "AssumeRolePolicyDocument": trust(),
                "RolePolicyList": [{ "PolicyName": "own", "PolicyDocument": allow(action) }] })
        };
        // moto makes this one with each account.
        let given = json!({ "RoleName": "OrganizationAccountAccessRole", "AssumeRolePolicyDocument": trust(),
            "Arn": format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole") });
        self.snapshot["accounts"][account] = json!({
            "RoleDetailList": [role("app", "/team/", "dynamodb:*"), role("idle", "/", "s3:*"),
                role("your-emergency-role", "/", "dynamodb:*"), given],
            "UserDetailList": [{ "UserName": "ann", "Arn": format!("arn:aws:iam::{account}:user/ann"), "GroupList": ["team"] }],
            "GroupDetailList": [{ "GroupName": "team", "Arn": format!("arn:aws:iam::{account}:group/team"),
                "AttachedManagedPolicies": [{ "PolicyName": "reader", "PolicyArn": managed }] }],
            "Policies": [{ "Arn": managed, "DefaultVersionId": "v1",
                "PolicyVersionList": [{ "VersionId": "v1", "Document": allow("dynamodb:Get*") }] }],
        });
        Ok(())
    }

    async fn tables(&mut self, account: &str, client: &aws_sdk_dynamodb::Client) -> Tested {
        for name in ["locked", "plain"] {
            let arn = format!("arn:aws:dynamodb:{REGION}:{account}:table/{name}");
            let stream = StreamSpecification::builder().stream_enabled(true);
            client
                .create_table()
                .table_name(name)
                .attribute_definitions(
                    AttributeDefinition::builder()
                        .attribute_name("id")
                        .attribute_type(ScalarAttributeType::S)
                        .build()?,
                )
                .key_schema(KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build()?)
                .billing_mode(BillingMode::PayPerRequest)
                .stream_specification(stream.stream_view_type(StreamViewType::KeysOnly).build()?)
                .tags(Tag::builder().key("data").value(name).build()?)
                .send()
                .await?;
            let mut told = json!({ "arn": arn, "tags": { "data": name } });
            if name == "locked" {
                client.put_resource_policy().resource_arn(&arn).policy(guard(true)).send().await?;
                told["policy"] = guard(true).into();
            }
            self.snapshot["tables"].as_array_mut().ok_or("no tables")?.push(told);
        }
        Ok(())
    }

    /// Takes the guard away, there and in the text.
    async fn open(&mut self) -> Tested {
        let client = client!(aws_sdk_organizations, &self.url, Keys::management());
        for id in [self.guard.clone(), self.lock()?] {
            client.detach_policy().policy_id(&id).target_id(&self.unit).send().await?;
        }
        Ok(())
    }

    fn lock(&self) -> Result<String, Box<dyn Error>> {
        let policies = self.snapshot["organization"]["policies"].as_array().ok_or("no policies")?;
        let lock = policies.iter().find(|policy| policy["Name"] == "lock").ok_or("no lock")?;
        Ok(lock["Id"].as_str().unwrap_or_default().to_owned())
    }
}

fn written(root: &str, unit: &str, accounts: &[String; 2], ids: &[String]) -> Value {
    let [scp, rcp] = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"];
    let types = [scp, rcp].map(|kind| json!({ "Type": kind, "Status": "ENABLED" }));
    let everything = policy(json!([{ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" }]));
    json!({
        "version": 1,
        "accounts": {},
        "organization": {
            "roots": [{ "Id": root, "PolicyTypes": types }],
            "parents": { unit: root, MANAGEMENT: root, (&accounts[0]): unit, (&accounts[1]): unit },
            "policies": [
                { "Id": "p-FullAWSAccess", "Name": "FullAWSAccess", "Type": scp, "Content": allow("*") },
                { "Id": "p-RCPFullAWSAccess", "Name": "RCPFullAWSAccess", "Type": rcp, "Content": everything },
                { "Id": ids[0], "Name": "guard", "Type": scp, "Content": guard(false) },
                { "Id": ids[1], "Name": "lock", "Type": rcp, "Content": guard(true) },
            ],
            "attached": {},
        },
        "tables": [],
    })
}

/// Cloud Control, as far as it is asked.
fn cloudcontrol() -> String {
    let address = http::serve(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["TypeName"], "AWS::EC2::VPCEndpoint");
        let properties =
            json!({ "Id": "vpce-0a1b2c3d4e5f60001", "VpcId": "vpc-0prod0eu", "ServiceName": ENDPOINT });
        let found = json!({ "Identifier": "vpce-0a1b2c3d4e5f60001", "Properties": properties.to_string() });
        let is_one = body.get("Identifier").is_some();
        let answer = if is_one {
            json!({ "ResourceDescription": found })
        } else {
            json!({ "ResourceDescriptions": [found] })
        };
        Response::new(200, answer.to_string())
    });
    format!("http://{address}")
}

/// Somebody who knows nothing of Cloud Control.
fn nothing() -> String {
    let address = http::serve(|_| {
        Response::new(400, r#"{"__type":"UnsupportedActionException","message":"not here"}"#)
    });
    format!("http://{address}")
}

pub struct Sweep<'s> {
    pub folder: &'s Path,
    pub url: &'s str,
    pub cloudcontrol: &'s str,
    pub keys: Keys,
}

impl Sweep<'_> {
    fn run(&self, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perimeter"));
        command
            .current_dir(self.folder)
            .args(["sweep", "--store", "none", "--format", "json"])
            .args(arguments)
            .env("AWS_ENDPOINT_URL", self.url)
            .env("AWS_ENDPOINT_URL_CLOUDCONTROL", self.cloudcontrol)
            .env("AWS_ACCESS_KEY_ID", self.keys.0.access_key_id())
            .env("AWS_SECRET_ACCESS_KEY", self.keys.0.secret_access_key());
        if let Some(token) = self.keys.0.session_token() {
            command.env("AWS_SESSION_TOKEN", token);
        }
        Ok(command.output()?)
    }

    pub fn swept(&self, arguments: &[&str]) -> Result<(Value, Option<i32>), Box<dyn Error>> {
        let output = self.run(arguments)?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((serde_json::from_slice(&output.stdout).map_err(|_| error)?, output.status.code()))
    }
}

#[test]
fn what_cannot_be_read_or_written_leaves_everything_as_it_is() -> Tested {
    let folder = tempfile::tempdir()?;
    let (config, old) = (folder.path().join("perimeter.toml"), folder.path().join("old.json"));
    std::fs::write(&config, perimeter(&["111122223333"]))?;
    std::fs::write(&old, "old")?;
    let sweep = |arguments: &[&str]| -> Result<(String, Option<i32>), Box<dyn Error>> {
        let output = Command::new(env!("CARGO_BIN_EXE_perimeter"))
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .arg("sweep")
            .args(arguments)
            .output()?;
        assert!(output.stdout.is_empty());
        Ok((String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code()))
    };
    let (said, code) = sweep(&["--save", "old.json"])?;
    assert!(said.contains("whose credentials these are"), "{said}");
    assert_eq!((std::fs::read(&old)?, code), (b"old".to_vec(), Some(2)));
    for (arguments, hint) in [
        (&["--save", "perimeter.toml"][..], "it is the configuration"),
        (&["--save", "x", "--output", "x"], "it is the file of --save"),
        (&["--save", "none/x"], "cannot write `none/x`"),
        (&["--save", "x", "--snapshot", "old.json"], "cannot be used with"),
        (&["--audit-role", "a b"], "no name of a role"),
        (&["--region", "EU"], "no region"),
    ] {
        let (said, code) = sweep(arguments)?;
        assert!(said.contains(hint) && code == Some(2), "{arguments:?}: {said}");
    }
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 2);
    Ok(())
}

/// Without what tells one reading from another.
fn result(mut swept: Value) -> Value {
    swept["taken_at"] = Value::Null;
    swept["unread"] = Value::Null;
    swept
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run scripts/test-more"]
async fn what_stands_is_swept_as_the_same_from_a_file() -> Tested {
    let moto = Moto::start()?;
    let mut organization = Organization::build(&moto.url).await?;
    let folder = tempfile::tempdir()?;
    let [first, second] = organization.accounts.clone();
    std::fs::write(folder.path().join("perimeter.toml"), perimeter(&[&first, &second]))?;
    let (there, absent) = (cloudcontrol(), nothing());
    let mut sweep =
        Sweep { folder: folder.path(), url: &moto.url, cloudcontrol: &there, keys: Keys::management() };
    let from_file = |organization: &Organization, sweep: &Sweep<'_>| -> Result<_, Box<dyn Error>> {
        let mut told = organization.snapshot.clone();
        told["endpoints"] = json!({ "VpcEndpoints": [{ "VpcEndpointId": "vpce-0a1b2c3d4e5f60001", "ServiceName": ENDPOINT, "VpcId": "vpc-0prod0eu" }] });
        std::fs::write(sweep.folder.join("told.json"), told.to_string())?;
        sweep.swept(&["--snapshot", "told.json"])
    };

    let (live, code) = sweep.swept(&["--save", "guarded.json"])?;
    assert_eq!((&live["unread"], code), (&json!([]), Some(0)), "{live:#}");
    assert_eq!(live["closed_accounts"].as_array().map(Vec::len), Some(2));

    organization.open().await?;
    let (live, code) = sweep.swept(&["--save", "open.json"])?;
    assert_eq!((&live["unread"], &live["untold"], code), (&json!([]), &json!([]), Some(1)), "{live:#}");
    let mut attached = organization.snapshot["organization"]["attached"].clone();
    let saved: Value = serde_json::from_slice(&std::fs::read(folder.path().join("open.json"))?)?;
    for (node, ids) in saved["organization"]["attached"].as_object().ok_or("nothing attached")? {
        // What moto attaches by itself.
        if attached.get(node).is_none() {
            attached[node] = ids.clone();
        }
    }
    attached[&organization.unit] = json!(["p-FullAWSAccess"]);
    organization.snapshot["organization"]["attached"] = attached;
    let (told, told_code) = from_file(&organization, &sweep)?;
    assert_eq!((result(live.clone()), code), (result(told), told_code));
    let opened = live["opened"].as_array().ok_or("no list")?;
    let is_open = |name: &str, table: &str| {
        opened.iter().any(|way| {
            let of = |key: &str, end: &str| way[key].as_str().is_some_and(|arn| arn.ends_with(end));
            of("principal", name) && of("table", table)
        })
    };
    assert!(is_open("role/team/app", "table/plain") && is_open("user/ann", "table/plain"), "{live:#}");
    assert!(!is_open("role/idle", "table/plain") && !is_open("your-emergency-role", "plain"), "{live:#}");

    // What was saved is what was judged, to the byte.
    let kept = sweep.run(&["--snapshot", "open.json"])?;
    assert_eq!(serde_json::from_slice::<Value>(&kept.stdout)?, live);
    let again = sweep.run(&["--snapshot", "open.json"])?;
    assert_eq!((again.stdout, again.status.code()), (kept.stdout, Some(1)));

    // The same by somebody who assumes a role in the management account too.
    sweep.keys = Keys::of(&moto.url, &first).await?;
    let (member, _) = sweep.swept(&[])?;
    assert_eq!(result(member), result(live.clone()));

    // What is not there is said, and stops nothing.
    sweep.cloudcontrol = &absent;
    let (partly, code) = sweep.swept(&["--region", "us-east-1", "--save", "partly.json"])?;
    let what: Vec<&str> =
        partly["unread"].as_array().ok_or("no list")?.iter().filter_map(|one| one["what"].as_str()).collect();
    assert_eq!((what.len(), code), (6, Some(2)), "{what:?}");
    assert!(what.iter().all(|what| what.starts_with("endpoints of account ")), "{what:?}");
    assert_eq!(result(partly.clone()), result(live));
    let (read, code) = sweep.swept(&["--snapshot", "partly.json"])?;
    assert_eq!((read, code), (partly, Some(2)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run scripts/test-more"]
async fn the_function_keeps_what_the_command_reads() -> Tested {
    let moto = Moto::start()?;
    let mut organization = Organization::build(&moto.url).await?;
    organization.open().await?;
    let [first, second] = organization.accounts.clone();
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("perimeter.toml");
    std::fs::write(&config, perimeter(&[&first, &second]))?;
    let there = cloudcontrol();
    let s3 = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Keys::management().0)
        .region(Region::new("us-east-1"))
        .endpoint_url(&moto.url)
        .force_path_style(true)
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    s3.create_bucket().bucket("kept").send().await?;

    let api = RuntimeApi::default();
    let vars = [
        ("_HANDLER", "collector"),
        ("PERIMETER_STORE", ""),
        ("PERIMETER_CONFIG", config.to_str().ok_or("no text")?),
        ("PERIMETER_SNAPSHOT", "s3://kept/state/snapshot.json.gz"),
        ("PERIMETER_REGIONS", "us-east-1"),
        ("AWS_ENDPOINT_URL", &moto.url),
        ("AWS_ENDPOINT_URL_CLOUDCONTROL", &there),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let _process = Process::start(&api.serve(), &vars);
    let told = tokio::task::spawn_blocking(move || api.invoke_one("{}").response()).await?;
    let counts = ["accounts", "roles", "tables"].map(|name| told[name].as_u64().unwrap_or_default());
    assert_eq!(counts, [3, 8, 4], "{told:#}");
    assert_eq!((&told["unread"], &told["regions"]), (&json!([]), &json!([REGION, "us-east-1"])));

    let kept = s3.get_object().bucket("kept").key("state/snapshot.json.gz").send().await?;
    let kept = kept.body.collect().await?.into_bytes();
    assert!(kept.starts_with(&[0x1f, 0x8b]));
    std::fs::write(folder.path().join("kept.json.gz"), &kept)?;
    let at = |key: &str| ObjectUrl { bucket: "kept".into(), key: key.into() };
    let read = SnapshotObject::new(s3.clone(), at("state/snapshot.json.gz")).read().await?.snapshot;
    assert_eq!((read.state.tables.len(), read.unread), (4, Vec::new()));
    let none = SnapshotObject::new(s3.clone(), at("none")).read().await.err().ok_or("it is there")?;
    assert!(none.to_string().contains("NoSuchKey"), "{none}");

    let sweep =
        Sweep { folder: folder.path(), url: &moto.url, cloudcontrol: &there, keys: Keys::management() };
    let (live, code) = sweep.swept(&["--region", "us-east-1"])?;
    let (from_kept, kept_code) = sweep.swept(&["--snapshot", "kept.json.gz"])?;
    assert_eq!((result(from_kept.clone()), kept_code), (result(live), code));
    assert_eq!(from_kept["taken_at"], told["taken_at"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run scripts/test-more"]
async fn one_part_is_what_it_is_in_the_whole() -> Tested {
    let moto = Moto::start()?;
    let organization = Organization::build(&moto.url).await?;
    let [first, second] = &organization.accounts;
    let perimeter = config::parse(&perimeter(&[first, second]))?.perimeter;
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(Keys::management().0))
        .region(Region::new(REGION))
        .endpoint_url(&moto.url)
        .build();
    let plan = Plan::new(&perimeter, "perimeter-audit", &[])?;
    let lookup = PartLookup::new(Collector::new(config, ServiceUrls::default(), plan));
    let state = Snapshot::parse(organization.snapshot.to_string().as_bytes())?.state;
    for (id, whole) in state.holders.iter() {
        let read = lookup.read(&Wanted::Holder(id.clone()), (None, None)).await?;
        let [Piece::Holder(_, Some(read))] = &read[..] else {
            return Err(format!("{id:?}: {read:?}").into());
        };
        assert!(read.unique_id.is_some());
        // Whom moto's own role trusts, the text does not tell.
        let read = Holder { unique_id: None, trust: whole.trust.clone(), ..read.clone() };
        assert_eq!(&read, whole.as_ref(), "{id:?}");
    }
    for (arn, whole) in state.managed.iter() {
        let wanted = Wanted::Managed {
            policy: arn.clone(),
            account: arn.split(':').nth(4).unwrap_or_default().into(),
        };
        let read = lookup.read(&wanted, (None, None)).await?;
        assert_eq!(read, [Piece::Managed(arn.clone(), Some(whole.as_ref().clone()))]);
    }
    for (arn, whole) in state.tables.iter() {
        let read = lookup.read(&Wanted::Table(arn.clone()), (None, None)).await?;
        assert_eq!(read, [Piece::Table(arn.clone(), Some(whole.as_ref().clone()))]);
    }
    let guard = &organization.guard;
    let read = lookup.read(&Wanted::Control(guard.clone()), (None, None)).await?;
    assert_eq!(read, [Piece::Control(guard.clone(), state.organization.policies.get(guard).cloned())]);
    let gone = HolderId { account: first.clone(), kind: HolderKind::Role, name: "nobody".into() };
    let read = lookup.read(&Wanted::Holder(gone.clone()), (None, None)).await?;
    assert_eq!(read, [Piece::Holder(gone, None)]);
    Ok(())
}
