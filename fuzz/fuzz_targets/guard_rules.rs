//! Dynamic rules: as an agent gets them, and as an editor sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::guard::{DynamicRules, RulesAnswer};

fuzz_target!(|body: &[u8]| {
    if let Ok(RulesAnswer::Rules(rules)) = RulesAnswer::read(body) {
        assert_eq!(DynamicRules::read(rules.write().as_bytes()).unwrap(), *rules);
    }
    match DynamicRules::read_edited(body) {
        Ok(rules) => {
            let again = DynamicRules::read_edited(rules.write_editable().as_bytes()).unwrap();
            assert_eq!(again, rules);
        }
        Err(faults) => assert!(!faults.is_empty() && faults.len() <= 100),
    }
});
