use super::RejectReason;
use super::matcher::{Order, Placed, Rejected, Search};
use super::reserved::Owner;
use super::stock::{Pool, Stock};

/// An instance that waits for what is reserved for it.
#[derive(Debug)]
pub struct Awaited {
    /// Whose it is.
    pub owner: Owner,
    /// The ids of its volumes, in the order of the run spec's.
    pub volumes: Vec<String>,
}

/// Finds an instance's own resources and volumes, and takes them out of the stock. `order` names where the *other* instances are.
///
/// # Errors
/// The offers that hold something of them, but not what is needed, or that a constraint speaks against.
pub fn place_held(order: &Order<'_>, awaited: &Awaited, stock: &mut Stock) -> Result<Placed, Vec<Rejected>> {
    let search = Search::new(order).among_held();
    let mut rejected = Vec::new();
    for (index, candidate) in stock.candidates.iter_mut().enumerate() {
        let Some(holding) = candidate.held.get(&awaited.owner) else { continue };
        let mut pool = Pool::of(holding.resources());
        let fits = search.fits_into(candidate, &pool);
        let disks = holding.volumes(&awaited.volumes);
        match (fits, disks) {
            (Ok(ports), Some(disks)) => {
                let shares = search.take_shares(&mut pool, &ports);
                candidate.held.remove(&awaited.owner);
                return Ok(Placed { candidate: index, ports, shares, disks });
            }
            (Err(reasons), Some(_)) => rejected.push(Rejected { candidate: index, reasons }),
            (_, None) => {
                let reasons = vec![RejectReason::NoCorrespondingReservationFound];
                rejected.push(Rejected { candidate: index, reasons });
            }
        }
    }
    Err(rejected)
}
