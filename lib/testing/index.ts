/** @module nestjs-iteration/testing */
export { Gate } from './gate.js';
export { type IterateOptions, type IterateResult, iterate } from './iterate.js';
export type { IteratedRun } from './recording.js';
export { resumeAtEveryPosition, resumeAtPositions } from './resume.at.every.position.js';
export type { BuildAt, ResumeOptions } from './resume.check.js';
export { ResumeError, type ResumeProblem } from './resume.error.js';
export { TestWorker, untilState } from './test.worker.js';
export { type ContractCase, type TransactionHostWorld, transactionHostCases } from './transaction.host.cases.js';
