//! Renders a split text: handlebars walks the template, its one helper `ref` gives each reference its value or writes it back.

use std::io;
use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderErrorReason, Renderable,
};

use super::split::{References, Split};

static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(handlebars::no_escape);
    registry
});

static NOTHING: LazyLock<Context> = LazyLock::new(Context::null);

/// The text would have become too long.
pub(super) struct Failed;

/// The helper: what each address of the text was found to be.
struct Reference<'a> {
    addresses: &'a References,
    values: &'a [Option<String>],
}

impl HelperDef for Reference<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let address = helper.param(0).and_then(|param| param.value().as_str());
        let address = address.ok_or(RenderErrorReason::ParamNotFoundForIndex("ref", 0))?;
        let known = self.addresses.get_index_of(address).and_then(|index| self.values.get(index));
        match known.and_then(|value| value.as_deref()) {
            Some(value) => out.write(value)?,
            None => {
                out.write("{{")?;
                out.write(address)?;
                out.write("}}")?;
            }
        }
        Ok(())
    }
}

struct Bounded {
    text: String,
    limit_bytes: usize,
}

impl Output for Bounded {
    fn write(&mut self, part: &str) -> Result<(), io::Error> {
        if self.text.len() + part.len() > self.limit_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.text.push_str(part);
        Ok(())
    }
}

/// The text with the values in place of the references; `values` are those of [`Split::references`].
pub(super) fn render(split: &Split, values: &[Option<String>], limit_bytes: usize) -> Result<String, Failed> {
    let mut out = Bounded { text: String::with_capacity(split.plain.len()), limit_bytes };
    let mut context = RenderContext::new(None);
    let helper = Reference { addresses: &split.references, values };
    context.register_local_helper("ref", Box::new(helper));
    split.template.render(&REGISTRY, &NOTHING, &mut context, &mut out).map_err(|_| Failed)?;
    Ok(out.text)
}
