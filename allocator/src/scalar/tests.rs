use super::*;

fn thousandths(value: f64) -> Option<i64> {
    Scalar::from_f64(value).ok().map(Scalar::thousandths)
}

#[test]
fn three_decimals_are_kept_and_halves_round_away_from_zero() {
    let cases = [(0.0, 0), (1.5123, 1512), (1.512, 1512), (0.0005, 1), (0.0004, 0), (0.1 + 0.2, 300), (24.0, 24_000)];
    for (value, expected) in cases {
        assert_eq!(thousandths(value), Some(expected), "{value}");
    }
}

#[test]
fn what_is_not_a_quantity_is_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, -1.0, 1.1e12, f64::MAX] {
        assert_eq!(thousandths(value), None, "{value}");
    }
    assert!(Scalar::from_thousandths(-1).is_err());
    assert!(Scalar::from_thousandths(Scalar::MAX.thousandths() + 1).is_err());
    assert_eq!(thousandths(1e12), Some(Scalar::MAX.thousandths()));
}

#[test]
fn every_thousandth_survives_the_way_to_the_wire_and_back() {
    for value in (0..100_000).chain([999_999_999_999_999, Scalar::MAX.thousandths()]) {
        let scalar = Scalar::from_thousandths(value).unwrap();
        assert_eq!(Scalar::from_f64(scalar.to_f64()), Ok(scalar));
    }
}

#[test]
fn people_read_as_few_decimals_as_needed() {
    let cases = [(0, "0"), (1, "0.001"), (500, "0.5"), (24_000, "24"), (1_120, "1.12"), (1_012, "1.012")];
    for (value, expected) in cases {
        assert_eq!(Scalar::from_thousandths(value).unwrap().to_string(), expected);
    }
}

#[test]
fn nothing_goes_below_zero_or_wraps() {
    assert_eq!(Scalar::units(1).checked_minus(Scalar::units(2)), None);
    assert_eq!(Scalar::units(2).checked_minus(Scalar::units(2)), Some(Scalar::ZERO));
    let huge = (0..14).fold(Scalar::MAX, |sum, _| sum.plus(sum));
    assert_eq!(huge.plus(Scalar::MAX), huge);
}
