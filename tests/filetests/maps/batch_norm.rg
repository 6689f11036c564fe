; test roundtrip
; test eval
; test canonical
; test optimize target=x86-64-v4
; test check

graph batch_norm {
  %x = input : f32[3, 7]
  %w = weight : f32[7, 5]
  %"bn.weight" = weight : f32[5]
  %"bn.bias" = weight : f32[5]
  %"bn.running_mean" = weight : f32[5]
  %"bn.running_var" = weight : f32[5]
  %p = matmul %x, %w
  %y = batch_norm %p, %"bn.weight", %"bn.bias", %"bn.running_mean", %"bn.running_var" { eps = 2.0, axis = -1 }
  return %y
}

; expect roundtrip
;   graph batch_norm {
;     %x = input : f32[3, 7]
;     %w = weight : f32[7, 5]
;     %bn.weight = weight : f32[5]
;     %bn.bias = weight : f32[5]
;     %bn.running_mean = weight : f32[5]
;     %bn.running_var = weight : f32[5]
;     %p = matmul %x, %w : f32[3, 5]
;     %y = batch_norm %p, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var { eps = 2.0, axis = -1 } : f32[3, 5]
;     return %y
;   }

; expect eval
;   265 flops
;   %y : f32[3, 5] = -0.01486 0.24441 0.26745 -0.37047 -0.78520 -0.02175 … norm 1.88862

; expect canonical
;   graph batch_norm {
;     %x = input : f32[3, 7]
;     %w = weight : f32[7, 5]
;     %bn.weight = weight : f32[5]
;     %bn.bias = weight : f32[5]
;     %bn.running_mean = weight : f32[5]
;     %bn.running_var = weight : f32[5]
;     %p = matmul %x, %w : f32[3, 5]
;     %7 = const { value = 2.0 } : f32[5]
;     %8 = add %bn.running_var, %7 : f32[5]
;     %9 = rsqrt %8 : f32[5]
;     %10 = mul %bn.weight, %9 : f32[5]
;     %11 = mul %bn.running_mean, %10 : f32[5]
;     %12 = sub %bn.bias, %11 : f32[5]
;     %13 = view %10 { map = "[3, 5] of 5: i1" } : f32[3, 5]
;     %14 = mul %p, %13 : f32[3, 5]
;     %15 = view %12 { map = "[3, 5] of 5: i1" } : f32[3, 5]
;     %y = add %14, %15 : f32[3, 5]
;     return %y
;   }

; expect optimize target=x86-64-v4
;   ; %y: 14 e-nodes, 4 iterations, saturated; factor-after-weights
;   graph batch_norm {
;     %x = input : f32[3, 7]
;     %w = weight : f32[7, 5]
;     %bn.weight = weight : f32[5]
;     %bn.bias = weight : f32[5]
;     %bn.running_mean = weight : f32[5]
;     %bn.running_var = weight : f32[5]
;     %bn.const = const { value = 2.0 } : f32[5]
;     %bn.running_var.add = add %bn.running_var, %bn.const : f32[5]
;     %bn.running_var.rsqrt = rsqrt %bn.running_var.add : f32[5]
;     %bn.weight.mul = mul %bn.weight, %bn.running_var.rsqrt : f32[5]
;     %bn.weight.mul.2 = mul %bn.running_mean, %bn.weight.mul : f32[5]
;     %bn.weight.sub = sub %bn.bias, %bn.weight.mul.2 : f32[5]
;     %bn.weight.view = view %bn.weight.mul { map = "[7, 5] of 5: i1" } : f32[7, 5]
;     %bn.weight.mul.3 = mul %w, %bn.weight.view : f32[7, 5]
;     %bn.matmul = matmul %x, %bn.weight.mul.3 : f32[3, 5]
;     %bn.weight.view.2 = view %bn.weight.sub { map = "[3, 5] of 5: i1" } : f32[3, 5]
;     %y = add %bn.matmul, %bn.weight.view.2 : f32[3, 5]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
