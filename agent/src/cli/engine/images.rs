//! `plimsoll images` and `history`

use bollard::models::{ImageHistoryResponseItem, ImageSummary};
use clap::Args;
use serde_json::Value;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::units;
use super::client::{Engine, segment};
use super::filters::{self, Filter};
use super::human;
use super::listing::{self, Column, Row};
use super::template::Form;

const NONE: &str = "<none>";
const CREATED_BY: usize = 45;

/// List images
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Intermediate ones too
    #[arg(short, long)]
    all: bool,
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// Whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Only those that match: dangling=true, label=a=b, reference=web:*, before=IMAGE, since=IMAGE, until=24h
    #[arg(short, long, value_name = "NAME=VALUE")]
    filter: Vec<Filter>,
    /// table, json, or a Go template of Repository, Tag, ID, CreatedSince, Size, …
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// Of this name only
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

/// Show the layers of an image
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// Whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// table, json, or a Go template of ID, CreatedSince, CreatedBy, Size, Comment
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// Name or id
    #[arg(value_name = "IMAGE")]
    name: String,
}

pub(super) async fn list(
    mut args: ImagesArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    const TITLES: [Column; 7] = [
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
    ];
    args.filter.extend(args.name.map(|value| Filter {
        name: "reference".into(),
        value,
    }));
    let filters = filters::encoded(&args.filter);
    let mut query = vec![("all", if args.all { "1" } else { "0" })];
    query.extend((!args.filter.is_empty()).then_some(("filters", filters.as_str())));
    let images: Vec<ImageSummary> = engine.get("/images/json", &query).await?;
    let rows = images
        .iter()
        .flat_map(|image| rows_of(image, args.no_trunc));
    if args.quiet {
        let ids = rows.filter_map(|row| Some(row.get("ID")?.as_str()?.to_owned()));
        return listing::print_lines(ids, out);
    }
    let usual = ["Repository", "Tag", "ID", "CreatedSince", "Size"];
    listing::print(rows.collect(), args.format.as_ref(), &TITLES, &usual, out)
}

/// One for each name.
fn rows_of(image: &ImageSummary, whole: bool) -> Vec<Row> {
    let mut names: Vec<_> = image.repo_tags.iter().map(|tag| split(tag)).collect();
    if names.is_empty() {
        // A digest alone still says where it came from.
        let digests = image
            .repo_digests
            .iter()
            .filter_map(|digest| digest.split_once('@'));
        names.extend(digests.map(|(repository, _)| (repository, NONE)).take(1));
    }
    if names.is_empty() {
        names.push((NONE, NONE));
    }
    let row = |(repository, tag): (&str, &str)| {
        let digest = image.repo_digests.iter().find_map(|digest| {
            let (of, digest) = digest.split_once('@')?;
            (of == repository).then(|| digest.to_owned())
        });
        let fields = [
            ("Repository", repository.to_owned()),
            ("Tag", tag.to_owned()),
            ("Digest", digest.unwrap_or_else(|| NONE.into())),
            ("ID", id(&image.id, whole)),
            ("CreatedSince", human::ago(image.created)),
            ("CreatedAt", human::date(image.created)),
            (
                "Size",
                units::traffic(u64::try_from(image.size).unwrap_or(0)),
            ),
        ];
        let pairs = fields
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text)));
        pairs.collect()
    };
    names.into_iter().map(row).collect()
}

/// Repository and tag; a registry's port is no tag.
pub(super) fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, ""),
    }
}

fn id(id: &str, whole: bool) -> String {
    if whole {
        id.to_owned()
    } else {
        human::short_id(id).to_owned()
    }
}

pub(super) async fn history(
    args: HistoryArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    const TITLES: [Column; 6] = [
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ];
    let path = format!("/images/{}/history", segment(&args.name));
    let layers: Vec<ImageHistoryResponseItem> = engine.get(&path, &[]).await?;
    let layer_id = |layer: &ImageHistoryResponseItem| match layer.id.as_str() {
        "" | "<missing>" => "<missing>".to_owned(),
        text => id(text, args.no_trunc),
    };
    if args.quiet {
        return listing::print_lines(layers.iter().map(layer_id), out);
    }
    let rows = layers.iter().map(|layer| {
        let created_by = layer.created_by.replace('\t', " ");
        let created_by = match args.no_trunc {
            true => created_by,
            false => human::ellipsis(&created_by, CREATED_BY),
        };
        let fields = [
            ("ID", layer_id(layer)),
            ("CreatedSince", human::ago(layer.created)),
            ("CreatedAt", human::date(layer.created)),
            ("CreatedBy", created_by),
            (
                "Size",
                units::traffic(u64::try_from(layer.size).unwrap_or(0)),
            ),
            ("Comment", layer.comment.clone()),
        ];
        let pairs = fields
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text)));
        pairs.collect()
    });
    let usual = ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"];
    listing::print(rows.collect(), args.format.as_ref(), &TITLES, &usual, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags() {
        assert_eq!(split("web:1"), ("web", "1"));
        assert_eq!(split("host:5000/web"), ("host:5000/web", ""));
        assert_eq!(split("host:5000/web:1"), ("host:5000/web", "1"));
    }
}
