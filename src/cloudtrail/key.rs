//! The fields that are read, of records and of envelopes, and the names that they go by.

/// A field of a record, or of an envelope around one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Key {
    UserIdentity,
    EventTime,
    EventSource,
    EventName,
    EventType,
    EventCategory,
    EventId,
    RequestId,
    SharedEventId,
    AwsRegion,
    SourceIpAddress,
    UserAgent,
    ErrorCode,
    ErrorMessage,
    ReadOnly,
    ManagementEvent,
    RecipientAccountId,
    VpcEndpointId,
    VpcEndpointAccountId,
    RequestParameters,
    ResponseElements,
    Resources,
    Addendum,
    TlsDetails,
    SessionCredentialFromConsole,
    /// EventBridge: `source`, `detail-type`, `account`, `detail`.
    Source,
    DetailType,
    Account,
    Id,
    Detail,
    /// SQS: `body` in an event of the Lambda service, `Body` in a message received by hand.
    Body,
    MessageId,
    /// SNS: `Sns` in an event of the Lambda service; `Type` and `Message` in what it delivers
    /// elsewhere.
    Sns,
    Type,
    Message,
    /// CloudWatch Logs subscription: `awslogs`, and `message` in each of the events in it.
    AwsLogs,
    LogMessage,
    /// S3 notification, and the test message (`Event`) that S3 sends when one is set up.
    S3,
    Event,
    /// Kinesis and streams of DynamoDB, which are not opened.
    Stream,
    /// An array of records: a log file, an event of the Lambda service, a CloudWatch Logs
    /// subscription, messages received from SQS by hand.
    Records,
}

/// How many [`Key`]s there are: no more than a `u64` has bits.
pub(super) const KEYS: usize = Key::Records as usize + 1;

impl Key {
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"userIdentity" => Key::UserIdentity,
            b"eventTime" => Key::EventTime,
            b"eventSource" => Key::EventSource,
            b"eventName" => Key::EventName,
            b"eventType" => Key::EventType,
            b"eventCategory" => Key::EventCategory,
            b"eventID" => Key::EventId,
            b"requestID" => Key::RequestId,
            b"sharedEventID" => Key::SharedEventId,
            b"awsRegion" => Key::AwsRegion,
            b"sourceIPAddress" => Key::SourceIpAddress,
            b"userAgent" => Key::UserAgent,
            b"errorCode" => Key::ErrorCode,
            b"errorMessage" => Key::ErrorMessage,
            b"readOnly" => Key::ReadOnly,
            b"managementEvent" => Key::ManagementEvent,
            b"recipientAccountId" => Key::RecipientAccountId,
            b"vpcEndpointId" => Key::VpcEndpointId,
            b"vpcEndpointAccountId" => Key::VpcEndpointAccountId,
            b"requestParameters" => Key::RequestParameters,
            b"responseElements" => Key::ResponseElements,
            b"resources" => Key::Resources,
            b"addendum" => Key::Addendum,
            b"tlsDetails" => Key::TlsDetails,
            b"sessionCredentialFromConsole" => Key::SessionCredentialFromConsole,
            b"source" => Key::Source,
            b"detail-type" => Key::DetailType,
            b"account" => Key::Account,
            b"id" => Key::Id,
            b"detail" => Key::Detail,
            b"body" | b"Body" => Key::Body,
            b"messageId" | b"MessageId" => Key::MessageId,
            b"Sns" => Key::Sns,
            b"Type" => Key::Type,
            b"Message" => Key::Message,
            b"awslogs" => Key::AwsLogs,
            b"message" => Key::LogMessage,
            b"s3" => Key::S3,
            b"Event" => Key::Event,
            b"kinesis" | b"dynamodb" => Key::Stream,
            b"Records" | b"logEvents" | b"Messages" => Key::Records,
            _ => return None,
        })
    }

    #[inline]
    pub(super) const fn bit(self) -> u64 {
        1 << self as u32
    }

    /// Is it a field that tells a record, or an envelope around one, from a container of them?
    pub(super) fn is_of_a_record(self) -> bool {
        Keys::TELLING.0 & self.bit() != 0
    }
}

/// A set of [`Key`]s.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Keys(pub u64);

impl Keys {
    /// What an envelope holds its content in, a key for each kind of envelope.
    pub const CONTENT: Keys = Keys(
        Key::Detail.bit()
            | Key::Body.bit()
            | Key::Sns.bit()
            | Key::Message.bit()
            | Key::AwsLogs.bit()
            | Key::LogMessage.bit()
            | Key::S3.bit()
            | Key::Stream.bit(),
    );

    /// What tells a record, or an envelope around one, from a container of them.
    pub const TELLING: Keys = Keys(
        Keys::CONTENT.0
            | Key::EventName.bit()
            | Key::EventSource.bit()
            | Key::EventId.bit()
            | Key::UserIdentity.bit(),
    );

    /// What no record has.
    pub const FOREIGN: Keys = Keys(Keys::CONTENT.0 | Key::Records.bit());
}
