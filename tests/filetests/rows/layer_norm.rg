; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test kernels target=x86-64-v4
; test check

graph layer_norm {
  %x = input : f32[3, 17]
  %gamma = weight : f32[17]
  %beta = weight : f32[17]
  %y = layer_norm %x, %gamma, %beta { eps = 1e-5 }
  return %y
}

; expect roundtrip
;   graph layer_norm {
;     %x = input : f32[3, 17]
;     %gamma = weight : f32[17]
;     %beta = weight : f32[17]
;     %y = layer_norm %x, %gamma, %beta { eps = 1e-5 } : f32[3, 17]
;     return %y
;   }

; expect eval
;   363 flops
;   %y : f32[3, 17] = 0.37600 0.26337 0.94712 1.23673 0.91138 -1.27088 … norm 5.38813

; expect optimize target=x86-64-v4
;   ; %y: 23 e-nodes, 2 iterations, saturated; unchanged
;   graph layer_norm {
;     %x = input : f32[3, 17]
;     %gamma = weight : f32[17]
;     %beta = weight : f32[17]
;     %3 = reduce %x { op = mean, axis = -1 } : f32[3, 1]
;     %4 = view %3 { map = "[3, 17] of 3: i0" } : f32[3, 17]
;     %5 = sub %x, %4 : f32[3, 17]
;     %6 = mul %5, %5 : f32[3, 17]
;     %7 = reduce %6 { op = mean, axis = -1 } : f32[3, 1]
;     %8 = view %7 { map = "[3, 17] of 3: i0" } : f32[3, 17]
;     %9 = const { value = 1e-5 } : f32[3, 17]
;     %10 = add %8, %9 : f32[3, 17]
;     %11 = rsqrt %10 : f32[3, 17]
;     %12 = mul %5, %11 : f32[3, 17]
;     %13 = view %gamma { map = "[3, 17] of 17: i1" } : f32[3, 17]
;     %14 = mul %12, %13 : f32[3, 17]
;     %15 = view %beta { map = "[3, 17] of 17: i1" } : f32[3, 17]
;     %y = add %14, %15 : f32[3, 17]
;     return %y
;   }

; expect canonical
;   graph layer_norm {
;     %x = input : f32[3, 17]
;     %gamma = weight : f32[17]
;     %beta = weight : f32[17]
;     %3 = reduce %x { op = mean, axis = -1 } : f32[3, 1]
;     %4 = view %3 { map = "[3, 17] of 3: i0" } : f32[3, 17]
;     %5 = sub %x, %4 : f32[3, 17]
;     %6 = mul %5, %5 : f32[3, 17]
;     %7 = reduce %6 { op = mean, axis = -1 } : f32[3, 1]
;     %8 = view %7 { map = "[3, 17] of 3: i0" } : f32[3, 17]
;     %9 = const { value = 1e-5 } : f32[3, 17]
;     %10 = add %8, %9 : f32[3, 17]
;     %11 = rsqrt %10 : f32[3, 17]
;     %12 = mul %5, %11 : f32[3, 17]
;     %13 = view %gamma { map = "[3, 17] of 17: i1" } : f32[3, 17]
;     %14 = mul %12, %13 : f32[3, 17]
;     %15 = view %beta { map = "[3, 17] of 17: i1" } : f32[3, 17]
;     %y = add %14, %15 : f32[3, 17]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan layer_norm {
;     %y = row [3, 17] reading %x, %gamma, %beta
;   }

; expect kernels target=x86-64-v4
;   program layer_norm: 1 kernel, 1 launch
;     0 row_3x17 blocks 3 (x, gamma, beta, y)
;   row_3x17: core lanes 16, grid [3, 1, 1], 99 instructions, 1098 flops, params 1920 B read 384 B written, scratch 0 B read 0 B written, 0 B scratch

; expect check
;   %y within 1e-5 of the reference
