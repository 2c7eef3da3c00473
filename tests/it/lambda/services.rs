//! Stand-ins of DynamoDB and of S3.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use dynamodb_perimeter::aws::embedded::Embedded;
use dynamodb_perimeter::aws::findings_table::{FindingsTable, schema};
use dynamodb_perimeter::findings::finding::Kept;
use dynamodb_perimeter::findings::store::{FindingStore, Query};
use tokio::runtime::Runtime;

use super::http::{self, Request, Response};

pub const TABLE: &str = "perimeter-findings";

/// Says of a request, by its operation and body, how it fails.
pub type Fault = Box<dyn Fn(&str, &str) -> Option<Response> + Send + Sync>;

/// The table of findings, served over HTTP.
pub struct Dynamo {
    embedded: Embedded,
    runtime: Arc<Runtime>,
    fault: Arc<Mutex<Option<Fault>>>,
    /// As `PERIMETER_STORE` names it.
    pub url: String,
}

impl Dynamo {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = Arc::new(runtime.unwrap());
        let embedded = Embedded::memory().unwrap();
        runtime.block_on(schema::create_if_missing(&embedded.client(), TABLE)).unwrap();
        let fault: Arc<Mutex<Option<Fault>>> = Arc::default();
        let address = {
            let (embedded, runtime, fault) = (embedded.clone(), Arc::clone(&runtime), Arc::clone(&fault));
            http::serve(move |request| {
                let target = request.headers.get("x-amz-target").map(String::as_str).unwrap_or_default();
                let operation = target.rsplit('.').next().unwrap_or_default();
                let failed = {
                    let fault = fault.lock().unwrap();
                    fault.as_ref().and_then(|fault| fault(operation, &String::from_utf8_lossy(&request.body)))
                };
                failed.unwrap_or_else(|| runtime.block_on(answer(&embedded, &request)))
            })
        };
        let url = format!("dynamodb://{TABLE}?region=eu-west-1&endpoint=http://{address}");
        Self { embedded, runtime, fault, url }
    }

    /// From now on requests fail as `fault` says.
    pub fn fail(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    /// The table, reached without HTTP.
    pub fn table(&self) -> FindingsTable {
        FindingsTable::new(self.embedded.client(), TABLE)
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The findings that are kept, by id.
    pub fn findings(&self) -> BTreeMap<String, Kept> {
        let table = self.table();
        let mut found = BTreeMap::new();
        let mut after = None;
        loop {
            let (page, next) =
                self.runtime.block_on(table.list(&Query::default(), after, jiff::Timestamp::now())).unwrap();
            found.extend(page.into_iter().map(|kept| (kept.sightings.identity.id(), kept)));
            after = next;
            if after.is_none() {
                return found;
            }
        }
    }

    /// Why a message could not be read, as it is stored.
    pub fn note(&self, message_id: &str) -> Option<String> {
        let client = self.embedded.client();
        let key = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        let get = client
            .get_item()
            .table_name(TABLE)
            .key(schema::PK, key(format!("MESSAGE#{message_id}")))
            .key(schema::SK, key("UNREADABLE".into()));
        let item = self.runtime.block_on(get.send()).unwrap().item?;
        item.values().filter_map(|value| value.as_s().ok()).max_by_key(|text| text.len()).cloned()
    }
}

async fn answer(embedded: &Embedded, request: &Request) -> Response {
    let mut sent = HttpRequest::new(SdkBody::from(request.body.clone()));
    let target = request.headers.get("x-amz-target").cloned().unwrap_or_default();
    sent.headers_mut().insert("x-amz-target", target);
    let response = embedded.call(sent).await.unwrap();
    let body = response.body().bytes().unwrap_or_default().to_vec();
    let headers = vec![("Content-Type", "application/x-amz-json-1.0".to_owned())];
    Response { status: response.status().as_u16(), headers, body }
}

/// Objects of S3, by `bucket/key`. Returns the endpoint's URL.
pub fn s3(objects: HashMap<String, Vec<u8>>) -> String {
    let address = http::serve(move |request| {
        let path = request.path.split('?').next().unwrap_or_default().trim_start_matches('/');
        match objects.get(path) {
            Some(body) => Response::new(200, body.clone()),
            None => {
                let error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
                Response {
                    headers: vec![("Content-Type", "application/xml".into())],
                    ..Response::new(404, error)
                }
            }
        }
    });
    format!("http://{address}")
}
