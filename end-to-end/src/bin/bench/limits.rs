use anyhow::{Result, bail};

/// Figures against what was promised of them.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    missed: Vec<String>,
}

impl Limits {
    /// Prints a figure with its limit.
    pub(crate) fn check(&mut self, name: &str, figure: f64, limit: f64, unit: &str) {
        let held = figure <= limit;
        let word = if held { "held" } else { "MISSED" };
        println!("{name}  {figure:.2} {unit}, limit {limit:.0}: {word}");
        if !held {
            self.missed.push(format!("{name} {figure:.2} {unit} over {limit:.0}"));
        }
    }

    /// That all were held.
    pub(crate) fn held(self) -> Result<()> {
        if self.missed.is_empty() {
            return Ok(());
        }
        bail!("limits missed: {}", self.missed.join("; "))
    }
}
