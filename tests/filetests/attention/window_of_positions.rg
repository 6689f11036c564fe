; test plan target=x86-64-v4
; test kernels target=x86-64-v4
; test check

// A mask made of positions: no constant, and tiles of keys that no query of a tile sees are passed over.
graph window_of_positions {
  %q = input : f32[2, 270, 8]
  %k = input : f32[2, 270, 8]
  %v = input : f32[2, 270, 8]
  %i = iota { axis = 0 } : i32[270, 1]
  %j = iota { axis = 1 } : i32[1, 270]
  %d = sub %i, %j
  %past = le %j, %i
  %near = lt %d, 40
  %seen = and %past, %near
  %s = scores %q, %k
  %u = mul %s, 0.25
  %m = select %seen, %u, -inf
  %y = attend %m, %v { axis = -1 }
  return %y
}

; expect plan target=x86-64-v4
;   plan window_of_positions {
;     %y = attend [2, 270, 270] over 8 values, seeing 23 % of the keys reading %v, %q, %k
;   }

; expect kernels target=x86-64-v4
;   program window_of_positions: 1 kernel, 1 launch
;     0 attend_2x270x270x8 blocks 4 (v, q, k, y)
;   attend_2x270x270x8: core lanes 16, grid [2, 2, 1], 727 instructions, work depends on data, 44800 B scratch

; expect check
;   %y within 1e-5 of the reference
