export { type CronJobInfo, CronJobs, type CronSlot } from "./cron-jobs.ts";
export { type CronAction, type CronJob, type CronRun, MessageCron, MessageCronFallback, type RemoteSpawn } from "./job.ts";
