; test eval
; test plan target=x86-64-v4
; test kernels target=x86-64-v4
; test check

// One bias per head, the same for every image.
graph with_bias {
  %q = input : f32[2, 3, 9, 8]
  %k = input : f32[2, 3, 9, 8]
  %v = input : f32[2, 3, 9, 8]
  %bias = weight : f32[3, 9, 9]
  %y = attention %q, %k, %v, %bias { scale = 0.353553 }
  return %y
}

; expect eval
;   18954 flops
;   %y : f32[2, 3, 9, 8] = -0.25886 -0.05337 -0.02730 0.01408 -0.00127 -0.32597 … norm 5.90686

; expect plan target=x86-64-v4
;   plan with_bias {
;     %y = attend [6, 9, 9] over 8 values reading %bias, %v, %q, %k
;   }

; expect kernels target=x86-64-v4
;   program with_bias: 1 kernel, 1 launch
;     0 attend_6x9x9x8 blocks 12 (bias, v, q, k, y)
;   attend_6x9x9x8: core lanes 16, grid [6, 2, 1], 401 instructions, 54432 flops, params 26112 B read 3456 B written, scratch 37296 B read 40920 B written, 1664 B scratch

; expect check
;   %y within 1e-5 of the reference
