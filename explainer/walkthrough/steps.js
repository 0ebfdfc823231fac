// The decode steps in what Python sends, each with its own rows of the arrays and its named values.

/** @param {any} data the scene's message, decoded */
export function stepsOf(data) {
  const { names } = data;
  return data.steps.map((step, i) => ({
    ...step,
    position: data.first + i,
    values: {
      ...Object.fromEntries(step.values.map((value, at) => [names[at], value])),
      contribution: { template: data.contribution[step.contribution] },
      pattern: { template: data.pattern[step.pattern] },
    },
    q: data.q.row(i),
    output: data.output.row(i),
    score: data.score.row(i).subarray(0, data.first + i + 1),
    weight: data.weight.row(i).subarray(0, data.first + i + 1),
  }));
}
