//! The long stories, carried out as calls to moto, a stand-in of AWS: what the collector reads before and after them, and
//! the events that their calls leave behind, come to the same findings as in memory. Needs Python: `scripts/test-more`
//! installs it and runs these. What moto has not, Cloud Control, is answered here; what it does not do, each step says.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_sdk_iam::config::Credentials;
use serde_json::{Map, Value, json};

use crate::collect::{self, Keys, REGION, Sweep};
use crate::lambda::http::{self, Response};
use crate::long_stories::{Act, END, MANAGEMENT, Story, records, sorted, story};
use crate::s3::Moto;
use crate::stories::{self, ACCOUNT, OTHER, Step};
use crate::watch::{Failed, Tested, World, stands_after_in};

/// What an endpoint has that was made without a policy.
const DEFAULT: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

type Endpoints = Arc<Mutex<BTreeMap<String, Value>>>;

/// An organization in moto, and by which ids it goes there.
struct Live {
    url: String,
    keys: BTreeMap<&'static str, Credentials>,
    /// Ids of the story, and those of moto.
    ids: Vec<(String, String)>,
    endpoints: Endpoints,
}

impl Live {
    async fn begin(url: &str, world: &stories::World) -> Result<Self, Failed> {
        let mut live = Self {
            url: url.to_owned(),
            keys: BTreeMap::from([(MANAGEMENT, Keys::management().0)]),
            ids: vec![(MANAGEMENT.to_owned(), collect::MANAGEMENT.to_owned())],
            endpoints: Endpoints::default(),
        };
        live.organize(world).await?;
        for (account, details) in world.snapshot["accounts"].as_object().ok_or("no accounts")? {
            let account = [ACCOUNT, OTHER].into_iter().find(|known| known == account).ok_or("another")?;
            for role in details["RoleDetailList"].as_array().ok_or("no roles")? {
                live.role(account, role)?;
            }
        }
        for table in world.snapshot["tables"].as_array().ok_or("no tables")? {
            live.table(table)?;
        }
        Ok(live)
    }

    fn is_called(&mut self, here: &str, there: &str) {
        if here != there && !self.ids.iter().any(|(known, _)| known == here) {
            self.ids.push((here.to_owned(), there.to_owned()));
            // One may begin as another does.
            self.ids.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
        }
    }

    /// Two accounts in a unit under the guard.
    async fn organize(&mut self, world: &stories::World) -> Tested {
        let call =
            |live: &Self, name: &str, request: Value| live.call(MANAGEMENT, "organizations", name, &request);
        let made = call(self, "CreateOrganization", json!({}))?;
        self.is_called("o-exampleorgid", text(&made["organization"]["id"]));
        let roots = call(self, "ListRoots", json!({}))?;
        self.is_called("r-1", text(&roots["roots"][0]["id"]));
        for kind in ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "TAG_POLICY"] {
            // One may be on already.
            let _ = call(self, "EnablePolicyType", json!({"rootId": "r-1", "policyType": kind}));
        }
        let unit = call(self, "CreateOrganizationalUnit", json!({"parentId": "r-1", "name": "production"}))?;
        self.is_called("ou-1", text(&unit["organizationalUnit"]["id"]));
        for account in [ACCOUNT, OTHER] {
            if world.snapshot["accounts"].get(account).is_none() {
                continue;
            }
            let request =
                json!({"accountName": format!("a{account}"), "email": format!("{account}@example.com")});
            let made = call(self, "CreateAccount", request)?;
            let id = text(&made["createAccountStatus"]["accountId"]).to_owned();
            self.is_called(account, &id);
            let onto = json!({"accountId": account, "sourceParentId": "r-1", "destinationParentId": "ou-1"});
            call(self, "MoveAccount", onto)?;
            let keys = Keys::of(&self.url, &id).await.map_err(|error| error.to_string())?;
            self.keys.insert(account, keys.0);
        }
        let guard = &world.snapshot["organization"]["policies"][1];
        let request = json!({"name": "guard", "description": "guard", "type": guard["Type"], "content": guard["Content"]});
        let made = call(self, "CreatePolicy", request)?;
        self.is_called("p-guard", text(&made["policy"]["policySummary"]["id"]));
        for id in ["p-FullAWSAccess", "p-RCPFullAWSAccess", "p-guard"] {
            call(self, "AttachPolicy", json!({"policyId": id, "targetId": "ou-1"}))?;
        }
        Ok(())
    }

    fn role(&self, account: &'static str, role: &Value) -> Tested {
        let name = &role["RoleName"];
        let trust = role["AssumeRolePolicyDocument"].to_string();
        self.call(
            account,
            "iam",
            "CreateRole",
            &json!({"roleName": name, "assumeRolePolicyDocument": trust}),
        )?;
        for policy in role["RolePolicyList"].as_array().into_iter().flatten() {
            let document = policy["PolicyDocument"].to_string();
            let put =
                json!({"roleName": name, "policyName": policy["PolicyName"], "policyDocument": document});
            self.call(account, "iam", "PutRolePolicy", &put)?;
        }
        Ok(())
    }

    fn table(&self, table: &Value) -> Tested {
        let name = text(&table["arn"]).rsplit('/').next().unwrap_or_default();
        let request = json!({"tableName": name, "billingMode": "PAY_PER_REQUEST",
            "attributeDefinitions": [{"attributeName": "id", "attributeType": "S"}],
            "keySchema": [{"attributeName": "id", "keyType": "HASH"}]});
        self.call(ACCOUNT, "dynamodb", "CreateTable", &request)?;
        if table["policy"].is_object() {
            let put = json!({"resourceArn": table["arn"], "policy": table["policy"].to_string()});
            self.call(ACCOUNT, "dynamodb", "PutResourcePolicy", &put)?;
        }
        Ok(())
    }

    /// By the ids of moto.
    fn there(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (here, there)| text.replace(here, there))
    }

    /// By the ids of the story.
    fn here(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (here, there)| text.replace(there, here))
    }

    /// Calls moto, and returns its answer as CloudTrail would tell it.
    fn call(&self, account: &str, service: &str, name: &str, request: &Value) -> Result<Value, Failed> {
        let request: Value = serde_json::from_str(&self.there(&request.to_string()))?;
        let key = self.keys.get(account).ok_or("no keys")?.access_key_id();
        let region = if service == "dynamodb" { REGION } else { "us-east-1" };
        let request = cased(&request, char::to_ascii_uppercase);
        let (kind, target, body) = match service {
            "iam" => ("x-www-form-urlencoded", String::new(), form(name, &request)),
            "dynamodb" => ("x-amz-json-1.0", format!("DynamoDB_20120810.{name}"), request.to_string()),
            _ => ("x-amz-json-1.1", format!("AWSOrganizationsV20161128.{name}"), request.to_string()),
        };
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {service}.{region}.amazonaws.com\r\nConnection: close\r\nX-Amz-Target: {target}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={key}/20261125/{region}/{service}/aws4_request, SignedHeaders=host, \
             Signature=0\r\nContent-Type: application/{kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = exchange(&self.url, &format!("{head}{body}"))?;
        let answer = if service == "iam" {
            let answer = Xml { rest: &answer }.read();
            answer[format!("{name}Response")][format!("{name}Result")].clone()
        } else {
            serde_json::from_str(&answer).unwrap_or_default()
        };
        Ok(cased(&answer, char::to_ascii_lowercase))
    }

    /// Does what a step is in truth, and returns what was answered.
    fn carry_out(&mut self, act: &Act) -> Result<Value, Failed> {
        let Step(service, name, request, response, _) = &act.step;
        let (name, request) = act.truth.as_ref().map_or((*name, request), |(name, request)| (*name, request));
        if *service == "ec2" {
            self.at_endpoint(name, request, response);
            return Ok(response.clone());
        }
        let answer = self.call(act.account, service, name, request)?;
        self.learn(response, &answer);
        match name {
            // AWS attaches these to every unit that is made, and moto to none.
            "CreateOrganizationalUnit" => {
                for id in ["p-FullAWSAccess", "p-RCPFullAWSAccess"] {
                    let request = json!({"policyId": id, "targetId": response["organizationalUnit"]["id"]});
                    self.call(MANAGEMENT, service, "AttachPolicy", &request)?;
                }
            }
            // moto leaves that parameter alone.
            "CreateTable" if request.get("resourcePolicy").is_some() => {
                let arn = &response["tableDescription"]["tableArn"];
                let put = json!({"resourceArn": arn, "policy": request["resourcePolicy"]});
                self.call(act.account, service, "PutResourcePolicy", &put)?;
            }
            _ => {}
        }
        Ok(answer)
    }

    /// Learns what moto calls what the story has a name for.
    fn learn(&mut self, here: &Value, there: &Value) {
        match (here, there) {
            (Value::Object(fields), Value::Object(others)) => {
                for (key, value) in fields.iter().filter(|(key, _)| !key.ends_with("Document")) {
                    self.learn(value, others.get(key).unwrap_or(&Value::Null));
                }
            }
            (Value::String(here), Value::String(there)) if *there != self.there(here) => {
                self.is_called(here, there);
            }
            _ => {}
        }
    }

    fn at_endpoint(&self, name: &str, request: &Value, response: &Value) {
        let request = request.get(format!("{name}Request")).unwrap_or(request);
        let request = cased(request, char::to_ascii_lowercase);
        let made = response.get("CreateVpcEndpointResponse").unwrap_or(response);
        let id = [
            &made["vpcEndpoint"]["vpcEndpointId"],
            &request["vpcEndpointId"],
            &request["vpcEndpointId"]["content"],
        ]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default();
        let mut endpoints = self.endpoints.lock().unwrap();
        if name == "DeleteVpcEndpoints" {
            endpoints.remove(id);
            return;
        }
        let endpoint = endpoints.entry(id.to_owned()).or_insert_with(|| {
            json!({"Id": id, "VpcId": request["vpcId"], "ServiceName": request["serviceName"], "PolicyDocument": DEFAULT})
        });
        match request.get("policyDocument") {
            Some(policy) => endpoint["PolicyDocument"] = policy.clone(),
            None => endpoint["PolicyDocument"] = json!(DEFAULT),
        }
    }

    /// Cloud Control, as far as it is asked: endpoints are the first account's.
    fn cloudcontrol(&self) -> String {
        let endpoints = Arc::clone(&self.endpoints);
        let address = http::serve(move |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let endpoints = endpoints.lock().unwrap();
            let described =
                |(id, one): (&String, &Value)| json!({"Identifier": id, "Properties": one.to_string()});
            let answer = match body.get("Identifier").and_then(Value::as_str) {
                Some(id) => json!({"ResourceDescription": endpoints.get_key_value(id).map(described)}),
                None => json!({"ResourceDescriptions": endpoints.iter().map(described).collect::<Vec<_>>()}),
            };
            Response::new(200, answer.to_string())
        });
        format!("http://{address}")
    }

    /// What stands there, as the collector reads it.
    fn collected(&self, folder: &Path, perimeter: &str) -> Result<Value, Failed> {
        std::fs::write(folder.join("perimeter.toml"), perimeter)?;
        let cloudcontrol = self.cloudcontrol();
        let sweep = Sweep { folder, url: &self.url, cloudcontrol: &cloudcontrol, keys: Keys::management() };
        let (swept, _) = sweep.swept(&["--save", "kept.json"]).map_err(|error| error.to_string())?;
        assert_eq!(swept["unread"], json!([]));
        Ok(serde_json::from_slice(&std::fs::read(folder.join("kept.json"))?)?)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The same with the names of fields begun otherwise.
fn cased(value: &Value, of: fn(&char) -> char) -> Value {
    match value {
        Value::Object(fields) => {
            let named = |(name, value): (&String, &Value)| {
                let mut letters = name.chars();
                let first: String = letters.next().iter().map(of).collect();
                (first + letters.as_str(), cased(value, of))
            };
            Value::Object(fields.iter().map(named).collect())
        }
        Value::Array(items) => items.iter().map(|item| cased(item, of)).collect(),
        other => other.clone(),
    }
}

/// Parameters as IAM takes them.
fn form(name: &str, request: &Value) -> String {
    let mut fields =
        vec![("Action".to_owned(), name.to_owned()), ("Version".to_owned(), "2010-05-08".to_owned())];
    flat("", request, &mut fields);
    let encode = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        text.bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    fields.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect::<Vec<_>>().join("&")
}

fn flat(at: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match value {
        Value::Object(all) => all.iter().for_each(|(key, value)| flat(&below(key), value, fields)),
        Value::Array(items) => {
            (1..).zip(items).for_each(|(n, item)| flat(&below(&format!("member.{n}")), item, fields));
        }
        Value::String(text) => fields.push((at.to_owned(), text.clone())),
        other => fields.push((at.to_owned(), other.to_string())),
    }
}

/// The answer's body, where it is none of an error.
fn exchange(url: &str, request: &str) -> Result<String, Failed> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if head.split(' ').nth(1) != Some("200") {
        let asked: String = request.chars().filter(|c| !c.is_whitespace()).take(600).collect();
        return Err(format!("{body}\n{asked}").into());
    }
    Ok(body.to_owned())
}

/// XML without attributes, as IAM answers with it.
struct Xml<'x> {
    rest: &'x str,
}

impl Xml<'_> {
    fn read(&mut self) -> Value {
        let mut fields = Map::new();
        let mut plain = String::new();
        while let Some((before, behind)) = self.rest.split_once('<') {
            let Some((tag, behind)) = behind.split_once('>') else { break };
            plain.push_str(before);
            self.rest = behind;
            if tag.starts_with(['?', '!']) {
                continue;
            }
            if tag.starts_with('/') {
                break;
            }
            let name = tag.split([' ', '/']).next().unwrap_or_default();
            let value = if tag.ends_with('/') { Value::Null } else { self.read() };
            fields.insert(name.to_owned(), value);
        }
        if fields.is_empty() { Value::String(plain.trim().to_owned()) } else { Value::Object(fields) }
    }
}

/// Without what moto does not do.
fn done_by_moto(story: &mut Story) {
    story.acts.retain(|act| act.not_in_moto.is_none());
}

/// Events that do not come, in each of several tellings.
async fn comes_to_the_same(name: &str, gaps: &[&[usize]]) -> Tested {
    let moto = Moto::start().map_err(|error| error.to_string())?;
    let mut story = story(name);
    done_by_moto(&mut story);
    let mut live = Live::begin(&moto.url, &story.world).await?;
    let folder = tempfile::tempdir()?;
    let perimeter = live.there(&story.world.with_endpoint());
    let mut base = live.collected(folder.path(), &perimeter)?;
    base["taken_at"] = story.world.snapshot["taken_at"].clone();
    let world = stories::World { snapshot: base, perimeter };
    let here = records(&story.acts, false);
    let mut there = Vec::new();
    for (act, record) in story.acts.iter().zip(&here) {
        let answer = live.carry_out(act)?;
        let mut record: Value = serde_json::from_str(&live.there(&record.to_string()))?;
        record["responseElements"] = answer;
        there.push(record);
    }
    let stands = live.collected(folder.path(), &world.perimeter)?;
    let stands_here = stands_after_in(&story.world, &records(&story.acts, true));
    for gap in [&[][..]].iter().chain(gaps) {
        let told = |records: &[Value]| -> Vec<Value> {
            let kept = records.iter().enumerate().filter(|(n, _)| !gap.contains(n));
            kept.map(|(_, record)| record.clone()).collect()
        };
        let (live_world, world_here) = (World::begin_in(&world).await?, World::begin_in(&story.world).await?);
        live_world.hear(&told(&there), there.len()).await?;
        world_here.hear(&told(&here), here.len()).await?;
        let report = live_world.sweep(&stands, END).await?;
        let report_here = world_here.sweep(&stands_here, END).await?;
        let found: Vec<String> =
            sorted(&live_world.findings().await?).iter().map(|found| live.here(found)).collect();
        assert_eq!(found, sorted(&world_here.findings().await?), "{name} without {gap:?}");
        assert_eq!(report.unseen, report_here.unseen, "{name} without {gap:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run scripts/test-more"]
async fn identities_come_to_the_same_in_moto() -> Tested {
    comes_to_the_same("identities", &[&[10], &[18], &[0, 24, 26]]).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run scripts/test-more"]
async fn resources_come_to_the_same_in_moto() -> Tested {
    comes_to_the_same("resources", &[&[1], &[9], &[3, 20, 22]]).await
}
