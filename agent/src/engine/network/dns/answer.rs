//! One question: answered from the table, to be passed on, or refused. Pure.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::names::{Table, Zone};

/// Seconds an answer may be kept: a container that is started anew may have another address.
const TTL: u32 = 5;
/// What this side takes in one datagram (DNS Flag Day 2020).
const MAX_PAYLOAD: u16 = 1_232;

/// What is to be done with a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send this back.
    Reply(Vec<u8>),
    /// Ask one of these, or whom the host asks if there are none, and send back what they say.
    Forward(Vec<IpAddr>),
    /// Not a question.
    Drop,
}

/// `datagram`: an answer that is too long for one is cut, and asked for again over TCP.
pub(super) fn answer(
    table: &Table,
    zone: &str,
    asker: IpAddr,
    question: &[u8],
    datagram: bool,
) -> Verdict {
    let Ok(message) = Message::from_vec(question) else {
        return malformed(question);
    };
    if message.metadata.message_type != MessageType::Query {
        return Verdict::Drop;
    }
    let [query] = message.queries.as_slice() else {
        return reply(&message, ResponseCode::FormErr, Vec::new(), datagram);
    };
    let zones = table.zones_of(zone, asker);
    let host = table.zones.get(zone).and_then(|zone| zone.at(asker));
    let container = host.map(|host| host.container.as_str());
    let ours = message.metadata.op_code == OpCode::Query && query.query_class == DNSClass::IN;
    let records = ours
        .then(|| look_up(&zones, container, &query.name, query.query_type))
        .flatten();
    if let Some(records) = records {
        return reply(&message, ResponseCode::NoError, records, datagram);
    }
    if zones.iter().all(|zone| zone.internal) {
        return reply(&message, ResponseCode::NXDomain, Vec::new(), datagram);
    }
    Verdict::Forward(host.map(|host| host.dns.clone()).unwrap_or_default())
}

/// When nobody could be asked.
pub(super) fn failure(question: &[u8]) -> Verdict {
    match Message::from_vec(question) {
        Ok(message) => reply(&message, ResponseCode::ServFail, Vec::new(), true),
        Err(_) => malformed(question),
    }
}

/// `None`: none of the containers' names. Otherwise what there is of the type asked for, perhaps nothing.
fn look_up(
    zones: &[&Zone],
    asker: Option<&str>,
    name: &Name,
    kind: RecordType,
) -> Option<Vec<Record>> {
    if kind == RecordType::PTR {
        let address = name.parse_arpa_name().ok()?;
        let full = address.prefix_len() == address.max_prefix_len();
        let found = zones.iter().find_map(|zone| zone.name_at(address.addr()));
        let target = Name::from_ascii(found.filter(|_| full)?).ok()?;
        return Some(vec![Record::from_rdata(
            name.clone(),
            TTL,
            RData::PTR(PTR(target)),
        )]);
    }
    let text = name.to_ascii().to_ascii_lowercase();
    let text = text.trim_end_matches('.');
    let linked = |zone: &&Zone| zone.addresses(zone.linked(asker?, text)?);
    let addresses = zones
        .iter()
        .find_map(linked)
        .or_else(|| zones.iter().find_map(|zone| zone.addresses(text)))?;
    let record = |address| {
        let data = match (kind, address) {
            (RecordType::A | RecordType::ANY, IpAddr::V4(v4)) => RData::A(A(v4)),
            (RecordType::AAAA | RecordType::ANY, IpAddr::V6(v6)) => RData::AAAA(AAAA(v6)),
            _ => return None,
        };
        Some(Record::from_rdata(name.clone(), TTL, data))
    };
    Some(addresses.into_iter().filter_map(record).collect())
}

fn reply(
    question: &Message,
    code: ResponseCode,
    mut records: Vec<Record>,
    datagram: bool,
) -> Verdict {
    // Who shares a name shares the load: each answer begins with another.
    if let Some(turn) = usize::from(question.metadata.id).checked_rem(records.len()) {
        records.rotate_left(turn);
    }
    let mut message = Message::error_msg(question.metadata.id, question.metadata.op_code, code);
    message.metadata.recursion_desired = question.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.metadata.authoritative = code == ResponseCode::NoError;
    message.add_queries(question.queries.iter().cloned());
    message.add_answers(records);
    if question.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_PAYLOAD);
        message.set_edns(edns);
    }
    let limit = if datagram {
        question.max_payload().into()
    } else {
        usize::from(u16::MAX)
    };
    let bytes = match message.to_vec() {
        Ok(bytes) if bytes.len() > limit => message.truncate().to_vec(),
        bytes => bytes,
    };
    bytes.map_or(Verdict::Drop, Verdict::Reply)
}

/// Says so, if there is at least an id to say it to.
fn malformed(question: &[u8]) -> Verdict {
    let [high, low, flags, _, ..] = question else {
        return Verdict::Drop;
    };
    // The first bit of the flags says: an answer. To answer that could go on for ever.
    if flags & 0x80 != 0 {
        return Verdict::Drop;
    }
    let id = u16::from_be_bytes([*high, *low]);
    let message = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
    message.to_vec().map_or(Verdict::Drop, Verdict::Reply)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
