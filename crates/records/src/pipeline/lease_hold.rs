//! The leases of the source that are held while a sink works.

use std::ops::Range;

use super::delivery::Deliveries;
use super::sink::{Hold, HoldLost};

/// The leases of the source that are held while the sink works. Those of a ledger are renewed without it.
pub(super) struct LeaseHold<'d, D> {
    deliveries: &'d mut D,
    records: Range<usize>,
    is_relied_on: bool,
}

impl<'d, D: Deliveries> LeaseHold<'d, D> {
    pub(super) fn of(deliveries: &'d mut D, records: Range<usize>, has_ledger: bool) -> Self {
        let is_relied_on = has_ledger || deliveries.are_leased();
        Self { deliveries, records, is_relied_on }
    }
}

impl<D: Deliveries> Hold for LeaseHold<'_, D> {
    fn is_relied_on(&self) -> bool {
        self.is_relied_on
    }

    fn extend(&mut self) -> Result<(), HoldLost> {
        if !self.deliveries.are_leased() {
            return Ok(());
        }
        self.deliveries.extend(self.records.clone()).map_err(|_| HoldLost)
    }
}
