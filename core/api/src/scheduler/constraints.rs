//! Offer constraints: which agents a framework wants offers of.

use crate::message::{enumeration, message};

enumeration! {
    /// Something about an agent that is not among its attributes.
    pub enum PseudoattributeType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Its host name.
        Hostname "HOSTNAME" = 1,
        /// Its region.
        Region "REGION" = 2,
        /// Its zone.
        Zone "ZONE" = 3,
    }
}

message! {
    /// What of an agent is looked at; one of the two is set.
    pub struct AttributeSelector {
        pseudoattribute_type: optional PseudoattributeType = 1,
        attribute_name: optional String = 2,
    }
    /// The attribute exists.
    pub struct ExistsPredicate {}
    /// The attribute does not exist.
    pub struct NotExistsPredicate {}
    /// The attribute is this text.
    pub struct TextEqualsPredicate {
        value: required String = 1,
    }
    /// The attribute is another text.
    pub struct TextNotEqualsPredicate {
        value: required String = 1,
    }
    /// The attribute matches the whole expression.
    pub struct TextMatchesPredicate {
        regex: required String = 1,
    }
    /// The attribute does not match.
    pub struct TextNotMatchesPredicate {
        regex: required String = 1,
    }
    /// What has to be true of it; one of them is set.
    pub struct AttributePredicate {
        exists: optional ExistsPredicate = 1,
        not_exists: optional NotExistsPredicate = 2,
        text_equals: optional TextEqualsPredicate = 3,
        text_not_equals: optional TextNotEqualsPredicate = 4,
        text_matches: optional TextMatchesPredicate = 5,
        text_not_matches: optional TextNotMatchesPredicate = 6,
    }
    /// A demand on an agent.
    pub struct AttributeConstraint {
        selector: required AttributeSelector = 1,
        predicate: required AttributePredicate = 2,
    }
    /// Demands that have to be met together.
    pub struct ConstraintGroup {
        attribute_constraints: repeated AttributeConstraint = 1,
    }
    /// Groups one of which has to be met.
    pub struct RoleConstraints {
        groups: repeated ConstraintGroup = 1,
    }
    /// Demands by role.
    pub struct OfferConstraints {
        role_constraints: map RoleConstraints = 1,
    }
}
