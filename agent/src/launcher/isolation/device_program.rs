//! Which devices a container may use, in the unified tree: the kernel asks a program of its own machine's language. This writes it.

use std::collections::BTreeMap;

use crate::launcher::controls::{DeviceKind, DeviceRule};
use crate::launcher::sys::Instruction;

/// What is asked, in `struct bpf_cgroup_dev_ctx`: kind and access in one word, then the two numbers of the device.
const KIND_AND_ACCESS: i16 = 0;
const MAJOR: i16 = 4;
const MINOR: i16 = 8;
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const KIND_BITS: i32 = 0xffff;
const ACCESS_SHIFT: i32 = 16;
const MAKE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// Registers: of the answer, of the question as it comes, and of what it is made of.
const ANSWER: u8 = 0;
const QUESTION: u8 = 1;
const OF_KIND: u8 = 2;
const OF_ACCESS: u8 = 3;
const OF_MAJOR: u8 = 4;
const OF_MINOR: u8 = 5;
const REST: u8 = 6;

/// Operations, as `<linux/bpf.h>` puts their names together.
const LOAD_WORD: u8 = 0x61;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const SET: u8 = 0xb7;
const COPY: u8 = 0xbf;
const UNLESS_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

fn load(to: u8, offset: i16) -> Instruction {
    Instruction::new(LOAD_WORD, to, QUESTION, offset, 0)
}

fn with(operation: u8, register: u8, number: i32) -> Instruction {
    Instruction::new(operation, register, 0, 0, number)
}

fn answer(allowed: bool) -> [Instruction; 2] {
    [with(SET, ANSWER, allowed.into()), with(EXIT, 0, 0)]
}

/// A program that allows what at least one of these rules allows. As on v1, several about the same devices are one.
pub(super) fn allowing(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut merged: BTreeMap<(i32, Option<u32>, Option<u32>), i32> = BTreeMap::new();
    for DeviceRule { kind, major, minor, read, write, make } in rules {
        let kind = match kind {
            DeviceKind::Block => BLOCK,
            DeviceKind::Character => CHARACTER,
        };
        let bits = [(*make, MAKE), (*read, READ), (*write, WRITE)];
        let access = bits.into_iter().filter(|(may, _)| *may).fold(0, |all, (_, bit)| all | bit);
        *merged.entry((kind, *major, *minor)).or_default() |= access;
    }
    let mut program = vec![
        load(OF_KIND, KIND_AND_ACCESS),
        Instruction::new(COPY, OF_ACCESS, OF_KIND, 0, 0),
        with(AND, OF_KIND, KIND_BITS),
        with(SHIFT_RIGHT, OF_ACCESS, ACCESS_SHIFT),
        load(OF_MAJOR, MAJOR),
        load(OF_MINOR, MINOR),
    ];
    for ((kind, major, minor), access) in merged {
        program.extend(rule(kind, major, minor, access));
    }
    program.extend(answer(false));
    program
}

/// Ends the program where it applies, and goes on behind itself where not.
fn rule(kind: i32, major: Option<u32>, minor: Option<u32>, access: i32) -> Vec<Instruction> {
    // The kernel has fewer numbers than that.
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let mut equal = vec![(OF_KIND, kind)];
    equal.extend(major.map(|major| (OF_MAJOR, number(major))));
    equal.extend(minor.map(|minor| (OF_MINOR, number(minor))));
    // What is asked for and not in the rule.
    let rest = [Instruction::new(COPY, REST, OF_ACCESS, 0, 0), with(AND, REST, !access)];
    let conditions = equal.len() + 1;
    let mut instructions = Vec::with_capacity(conditions + rest.len() + 2);
    let behind = |before: usize| i16::try_from(conditions + rest.len() + 1 - before).unwrap_or(i16::MAX);
    for (register, value) in equal {
        instructions.push(Instruction::new(UNLESS_EQUAL, register, 0, behind(instructions.len()), value));
    }
    instructions.extend(rest);
    instructions.push(Instruction::new(UNLESS_EQUAL, REST, 0, behind(instructions.len()), 0));
    instructions.extend(answer(true));
    instructions
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the program answers, as the kernel carries it out.
    fn run(program: &[Instruction], question: [u32; 3]) -> u64 {
        let mut registers = [0_u64; 11];
        let mut at = 0;
        loop {
            let instruction = &program[at];
            at += 1;
            let (to, from) = instruction.registers();
            let number = i64::from(instruction.number).cast_unsigned();
            match instruction.operation {
                LOAD_WORD => {
                    assert_eq!(from, QUESTION);
                    registers[usize::from(to)] = question[usize::try_from(instruction.offset / 4).unwrap()].into();
                }
                AND => registers[usize::from(to)] &= number,
                SHIFT_RIGHT => registers[usize::from(to)] >>= number,
                SET => registers[usize::from(to)] = number,
                COPY => registers[usize::from(to)] = registers[usize::from(from)],
                UNLESS_EQUAL if registers[usize::from(to)] != number => {
                    at += usize::try_from(instruction.offset).unwrap();
                }
                UNLESS_EQUAL => {}
                EXIT => return registers[usize::from(ANSWER)],
                other => panic!("no operation {other:#x}"),
            }
        }
    }

    fn asked(kind: i32, access: i32) -> u32 {
        (access << ACCESS_SHIFT | kind).cast_unsigned()
    }

    fn rules() -> impl Strategy<Value = Vec<DeviceRule>> {
        let number = || prop::option::of(0..3_u32);
        let kind = prop_oneof![Just(DeviceKind::Character), Just(DeviceKind::Block)];
        let rule = (kind, number(), number(), any::<[bool; 3]>()).prop_map(|(kind, major, minor, may)| {
            let [read, write, make] = may;
            DeviceRule { kind, major, minor, read, write, make }
        });
        prop::collection::vec(rule, 0..5)
    }

    proptest! {
        #[test]
        fn the_program_allows_what_the_rules_allow(rules in rules()) {
            let program = allowing(&rules);
            for (kind, major, minor, access) in questions() {
                let applies = |rule: &&DeviceRule| {
                    (rule.kind == DeviceKind::Block) == (kind == BLOCK)
                        && rule.major.is_none_or(|own| own == major)
                        && rule.minor.is_none_or(|own| own == minor)
                };
                // Those about the same devices are one rule.
                let mut merged: BTreeMap<(Option<u32>, Option<u32>), i32> = BTreeMap::new();
                for rule in rules.iter().filter(applies) {
                    let bits = i32::from(rule.make) | i32::from(rule.read) << 1 | i32::from(rule.write) << 2;
                    *merged.entry((rule.major, rule.minor)).or_default() |= bits;
                }
                let allowed = merged.values().any(|bits| access & !bits == 0);
                let answer = run(&program, [asked(kind, access), major, minor]);
                prop_assert_eq!(answer == 1, allowed, "{:?}: {} {}:{} {}", rules, kind, major, minor, access);
            }
        }
    }

    /// Kinds, numbers and accesses that there can be.
    fn questions() -> impl Iterator<Item = (i32, u32, u32, i32)> {
        let number = |question: i32, base: i32, of: i32| question / base % of;
        (0..2 * 3 * 3 * 7).map(move |question| {
            let device = |base| number(question, base, 3).cast_unsigned();
            (number(question, 1, 2) + 1, device(2), device(6), number(question, 18, 7) + 1)
        })
    }
}
