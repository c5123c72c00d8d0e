use attica_core_api::v1::{Attribute, DomainInfo, Offer};
use attica_core_api::v1::{Range, ValueType};

use crate::model::{Agent, Domain};

/// The agent behind an offer. Of an attribute that is given more than once, the last one counts.
#[must_use]
pub fn agent_of(offer: &Offer) -> Agent {
    let attributes =
        offer.attributes.iter().filter_map(|attribute| Some((attribute.name.clone(), text_of(attribute)?)));
    Agent {
        id: offer.agent_id.clone(),
        hostname: offer.hostname.clone(),
        attributes: attributes.collect(),
        domain: offer.domain.as_ref().and_then(domain_of),
    }
}

/// The fault domain that an agent or a master names.
#[must_use]
pub fn domain_of(domain: &DomainInfo) -> Option<Domain> {
    let fault_domain = domain.fault_domain.as_ref()?;
    Some(Domain { region: fault_domain.region.name.clone(), zone: fault_domain.zone.name.clone() })
}

/// An attribute's value as constraints compare it: numbers with at most three decimals, halves to even; ranges and sets sorted.
/// None when the value that its type promises is missing.
fn text_of(attribute: &Attribute) -> Option<String> {
    match attribute.r#type {
        ValueType::Text => attribute.text.as_ref().map(|text| text.value.clone()),
        ValueType::Scalar => attribute.scalar.as_ref().map(|scalar| scalar_text(scalar.value)),
        ValueType::Ranges => attribute.ranges.as_ref().map(|ranges| ranges_text(&ranges.range)),
        ValueType::Set => attribute.set.as_ref().map(|set| {
            let mut items: Vec<&str> = set.item.iter().map(String::as_str).collect();
            items.sort_unstable();
            format!("{{{}}}", items.join(","))
        }),
    }
}

/// A number as constraints compare it: `1`, `0.5`, `1.235`.
pub(crate) fn scalar_text(value: f64) -> String {
    let thousandths = (value * 1_000.0).round_ties_even();
    let text = format!("{:.3}", thousandths / 1_000.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn ranges_text(ranges: &[Range]) -> String {
    let mut pairs: Vec<(u64, u64)> = ranges.iter().map(|range| (range.begin, range.end)).collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(begin, end)| format!("{begin}-{end}")).collect();
    format!("[{}]", pairs.join(","))
}
