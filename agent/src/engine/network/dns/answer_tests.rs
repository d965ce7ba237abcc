use hickory_proto::op::Query;
use proptest::prelude::*;

use super::super::names::tests::table;
use super::*;

fn ask(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn answered(zone: &str, asker: &str, question: &[u8]) -> Message {
    match answer(&table(), zone, asker.parse().unwrap(), question, true) {
        Verdict::Reply(bytes) => Message::from_vec(&bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn data(message: &Message) -> Vec<String> {
    let mut data: Vec<String> = message
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect();
    data.sort();
    data
}

#[test]
fn a_name_is_answered_with_its_address() {
    for name in ["web.", "WEB.", "web.back."] {
        let message = answered("back-id", "172.18.0.3", &ask(name, RecordType::A));
        assert_eq!(message.metadata.response_code, ResponseCode::NoError);
        assert_eq!(data(&message), ["172.18.0.2"], "{name}");
        assert_eq!(message.queries.len(), 1);
    }
    let all = answered("back-id", "172.18.0.2", &ask("all.", RecordType::A));
    assert_eq!(data(&all), ["172.18.0.2", "172.18.0.3"]);
}

#[test]
fn a_link_is_a_name_for_who_has_it() {
    for (name, found) in [("site.", "172.18.0.2"), ("all.", "172.18.0.2")] {
        let message = answered("back-id", "172.18.0.3", &ask(name, RecordType::A));
        assert_eq!(data(&message), [found], "{name}");
    }
    let other = answer(
        &table(),
        "back-id",
        "172.18.0.2".parse().unwrap(),
        &ask("site.", RecordType::A),
        true,
    );
    assert!(matches!(other, Verdict::Forward(_)), "{other:?}");
}

#[test]
fn a_name_without_the_type_is_no_error() {
    for kind in [RecordType::AAAA, RecordType::MX] {
        let message = answered("back-id", "172.18.0.3", &ask("web.", kind));
        assert_eq!(message.metadata.response_code, ResponseCode::NoError);
        assert!(message.answers.is_empty());
    }
}

#[test]
fn an_address_is_answered_with_its_name() {
    let message = answered(
        "back-id",
        "172.18.0.3",
        &ask("2.0.18.172.in-addr.arpa.", RecordType::PTR),
    );
    assert_eq!(data(&message), ["web.back."]);
}

#[test]
fn who_is_in_two_networks_is_told_the_names_of_both() {
    let message = answered("back-id", "172.18.0.2", &ask("db.", RecordType::A));
    assert_eq!(data(&message), ["172.19.0.3"]);
    let verdict = answer(
        &table(),
        "back-id",
        "172.18.0.3".parse().unwrap(),
        &ask("db.", RecordType::A),
        true,
    );
    assert_eq!(verdict, Verdict::Forward(Vec::new()), "another network's");
}

#[test]
fn an_internal_network_hears_nothing_from_outside() {
    let message = answered(
        "hidden-id",
        "172.19.0.3",
        &ask("example.org.", RecordType::A),
    );
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
    let verdict = answer(
        &table(),
        "hidden-id",
        "172.19.0.2".parse().unwrap(),
        &ask("example.org.", RecordType::A),
        true,
    );
    assert_eq!(
        verdict,
        Verdict::Forward(Vec::new()),
        "it is in another network, too"
    );
}

#[test]
fn the_default_network_passes_everything_on() {
    let verdict = answer(
        &table(),
        "bridge-id",
        "172.17.0.2".parse().unwrap(),
        &ask("old.", RecordType::A),
        true,
    );
    assert_eq!(verdict, Verdict::Forward(Vec::new()));
}

#[test]
fn a_long_answer_is_cut_for_a_datagram_only() {
    let mut records = Vec::new();
    let name = Name::from_ascii("all.").unwrap();
    records.resize(
        100,
        Record::from_rdata(name, TTL, RData::A(A([10, 0, 0, 1].into()))),
    );
    let question = Message::from_vec(&ask("all.", RecordType::A)).unwrap();
    let length = |datagram| match reply(&question, ResponseCode::NoError, records.clone(), datagram)
    {
        Verdict::Reply(bytes) => (bytes.len(), Message::from_vec(&bytes).unwrap()),
        other => panic!("{other:?}"),
    };
    let (short, cut) = length(true);
    assert!(short <= 512 && cut.metadata.truncation);
    let (_, whole) = length(false);
    assert_eq!(whole.answers.len(), 100);
}

#[test]
fn what_is_no_question_is_not_answered() {
    let nobody = "172.18.0.3".parse().unwrap();
    assert_eq!(
        answer(&table(), "back-id", nobody, &[1, 2], true),
        Verdict::Drop
    );
    assert_eq!(
        answer(&table(), "back-id", nobody, &[0xff; 12], true),
        Verdict::Drop
    );
    let malformed = answered(
        "back-id",
        "172.18.0.3",
        &[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(
        (malformed.metadata.id, malformed.metadata.response_code),
        (0x0707, ResponseCode::FormErr)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let table = table();
        answer(&table, "back-id", "172.18.0.3".parse().unwrap(), &bytes, true);
        failure(&bytes);
    }
}
