; test eval
; test plan target=x86-64-v4
; test kernels target=x86-64-v4
; test check

// A table of relative positions: gathered once, when the weights are bound.
graph relative_bias {
  %q = input : f32[3, 2, 4, 8]
  %k = input : f32[3, 2, 4, 8]
  %v = input : f32[3, 2, 4, 8]
  %table = weight : f32[9, 2]
  %qr = iota { axis = 0 } : i32[2, 1, 1, 1]
  %qc = iota { axis = 1 } : i32[1, 2, 1, 1]
  %kr = iota { axis = 2 } : i32[1, 1, 2, 1]
  %kc = iota { axis = 3 } : i32[1, 1, 1, 2]
  %dr = sub %qr, %kr
  %dc = sub %qc, %kc
  %r0 = add %dr, 1
  %c0 = add %dc, 1
  %r3 = mul %r0, 3
  %i = add %r3, %c0
  %index = reshape %i { shape = [4, 4] }
  %rows = gather %table, %index
  %bias = transpose %rows { order = [-1, -3, -2] }
  %y = attention %q, %k, %v, %bias { scale = 0.353553 }
  return %y
}

; expect eval
;   3744 flops
;   %y : f32[3, 2, 4, 8] = -0.06091 0.10035 -0.44233 0.40624 0.21553 -0.32582 … norm 5.14443

; expect plan target=x86-64-v4
;   plan relative_bias {
;     %y = attend [6, 4, 4] over 8 values reading %rows, %v, %q, %k
;   }

; expect kernels target=x86-64-v4
;   program relative_bias: 1 kernel, 1 launch
;     0 attend_6x4x4x8 blocks 12 (rows, v, q, k, y)
;   attend_6x4x4x8: core lanes 16, grid [6, 2, 1], 395 instructions, 20352 flops, params 18432 B read 1536 B written, scratch 16608 B read 21600 B written, 1152 B scratch

; expect check
;   %y within 1e-5 of the reference
