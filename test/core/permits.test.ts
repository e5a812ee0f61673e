import { genericPoolPermits } from '../../src/core/generic-pool.ts';
import { engineContract } from './permits-contract.ts';

engineContract('generic-pool', genericPoolPermits);
